# SPDX-License-Identifier: Apache-2.0
"""acts - what a client or an admin does, for tests in which memory fails (R02).

An act is a generator. What it does before its first `yield` is made ready with
memory enough; what comes behind it is done while an allocation fails, and is
whole or a refusal that the act's dialect knows; behind a second `yield` there
is memory again, and nothing may be half done.
"""
from . import (administration, conversations, logins,  # noqa: F401
               questions, readers, sockets)
from .logins import LOCATIONS
from .world import ACTS, World

__all__ = ["ACTS", "LOCATIONS", "World"]
