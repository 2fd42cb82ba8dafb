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
# What makes the template database by some 300 commands: with a sanitizer in
# each the first test of a worker would wait for it four times as long.
TEMPLATE_TOOL = os.environ.get("BL_TEMPLATE_TOOL", TOOL)
IN_VALGRIND = bool(os.environ.get("BL_VALGRIND"))
HTTPD = os.environ.get("BL_HTTPD", "/usr/sbin/apache2")
HTTPD_MODULES = os.environ.get("BL_HTTPD_MODULES", "/usr/lib/apache2/modules")
EMULATOR = os.path.join(ROOT, "tests", "emulator", "bailian_emulator.py")
SUPPRESSED = os.path.join(ROOT, "tests", "tsan.supp")
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
    """Limits of time are wider under a sanitizer or valgrind."""
    return IN_VALGRIND or sanitizer() is not None


def has_thread_sanitizer():
    return "tsan" in (sanitizer() or "")


def is_crawling():
    """Ten times slower and more: the parent loses patience at a stop while a
    reactor reads what curl hands it in one go."""
    return IN_VALGRIND or has_thread_sanitizer()


def runner(report_dir, is_killed):
    """What httpd is started by: valgrind, when BL_VALGRIND is set. Memory of
    pools that live as long as a child is no leak, nor is what a thread held
    in its registers when its child was killed."""
    if not IN_VALGRIND:
        return DIES_WITH_US
    return DIES_WITH_US + [
        "valgrind", "-q", "--vgdb=no", "--trace-children=yes",
        "--leak-check=" + ("no" if is_killed else "full"),
        "--keep-debuginfo=yes",
        "--show-leak-kinds=definite", "--errors-for-leak-kinds=none",
        "--log-file=%s/report.%%p" % report_dir]


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
        found["TSAN_OPTIONS"] = "second_deadlock_stack=1:" \
            "report_signal_unsafe=0:suppressions='%s':%s" % (SUPPRESSED, log)
    return found
