# SPDX-License-Identifier: Apache-2.0
"""build - where the things under test are, and what they need to run.

BL_BUILD_DIR names the build directory; without it the source tree is taken.
A sanitizer that the module was built with is loaded before httpd.
"""
import os
import re
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[".."] * 3))
BUILD = os.path.abspath(os.environ.get("BL_BUILD_DIR", ROOT))
MODULE = os.path.join(BUILD, ".libs", "mod_bailian_sse.so")
TOOL = os.path.join(BUILD, "bailianctl")
HTTPD = os.environ.get("BL_HTTPD", "/usr/sbin/apache2")
HTTPD_MODULES = os.environ.get("BL_HTTPD_MODULES", "/usr/lib/apache2/modules")
EMULATOR = os.path.join(ROOT, "tests", "emulator", "bailian_emulator.py")
FIXTURES = os.path.join(ROOT, "tests", "fixtures", "bailian")


def is_built():
    return os.path.exists(MODULE) and os.path.exists(TOOL)


def sanitizer():
    """Path of the sanitizer's library when the module needs one, or None."""
    if not os.path.exists(MODULE):
        return None
    needed = subprocess.run(["ldd", MODULE], capture_output=True, text=True,
                            check=False).stdout
    found = re.search(r"=> (\S*lib(?:clang_rt\.)?[at]san\S*)", needed)
    return found.group(1) if found else None


def is_slow():
    """Limits of time are wider under a sanitizer."""
    return sanitizer() is not None


# No server outlives a test run that was killed.
DIES_WITH_US = ["setpriv", "--pdeathsig", "TERM"]


def httpd_environment(report_dir):
    """What httpd is started with; reports of a sanitizer go to report_dir."""
    found = dict(os.environ, LC_ALL="C.UTF-8")
    library = sanitizer()
    if library:
        log = "log_path=%s/report" % report_dir
        found["LD_PRELOAD"] = library
        found["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=1:" \
            "allow_user_segv_handler=0:" + log
        found["UBSAN_OPTIONS"] = "print_stacktrace=1:" + log
        found["TSAN_OPTIONS"] = "second_deadlock_stack=1:" + log
    return found
