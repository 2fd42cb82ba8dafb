# SPDX-License-Identifier: Apache-2.0
"""env - a real httpd with the module, a scripted Bailian, strict clients."""
