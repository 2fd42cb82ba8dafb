# SPDX-License-Identifier: Apache-2.0
"""logs - the error log is part of every test.

A WARNING or worse that the test did not name fails it, and so does a secret,
a crash or a report of a sanitizer.
"""
import glob
import os
import re

from .build import is_crawling, is_slow
from .polling import until

LINE = re.compile(r"\[([a-z0-9_]*):(\w+)\] \[pid (\d+)(?::tid \d+)?\] (.*)")
# mod_ssl says so at every start where the machine's libssl is older than the
# one that Debian's httpd was built with: nothing of ours.
# All workers were busy in the moment in which the parent looked (AH00484).
MACHINE = ["AH01882:", "AH00484:"]
# A sanitizer's reactor on a busy machine is late without being stuck, and the
# parent tells its child a second time to end.
if is_slow():
    MACHINE += ["BL1501:", "AH00045:"]
if is_crawling():
    MACHINE.append("AH00046:")
BAD_LEVELS = ("warn", "error", "crit", "alert", "emerg")
CRASH = re.compile(r"exit signal|child died|AddressSanitizer|runtime error:|"
                   r"ThreadSanitizer|Assertion|core dumped")


# At TERM the event MPM's main thread shuts the sockets down that its workers
# serve (close_worker_sockets), and may meet one whose pool its worker has just
# given back to the kernel: no frame of ours, and the child was to end anyway.
MPM_STOP = re.compile(r"#0 \S+ in apr_\w+ \(\S*libapr-1\.so.*\n"
                      r"\s+#1 \S+ .*\(\S*mod_mpm_event\.so")


# prefork destroys its pools in the handler of TERM (just_die), whatever that
# interrupted: it may have been in the middle of freeing the same. The frames
# of the handler, and the one of the C library that it returns by.
PREFORK_STOP = re.compile(r"(?:#\d+ [^\n]*mod_mpm_prefork\.so[^\n]*\n\s+){2}"
                          r"#\d+ [^\n]*libc\.so")


def is_unclean_stop(report):
    """Whether httpd's own MPM crashed as it was told to end."""
    handler = PREFORK_STOP.search(report)
    if handler:
        return "mod_bailian" not in report[:handler.start()]
    return MPM_STOP.search(report) and "mod_bailian" not in report


def is_of_httpd_alone(report):
    """What the thread sanitizer says of places of httpd, which is not built
    with it: it cannot know what orders them. Where one of the two is ours it
    can, by shim/atomics.c."""
    each = [part for part in report.split("=" * 18) if part.strip()]
    return all("ThreadSanitizer:" in part and "mod_bailian" not in part
               for part in each)


class ErrorLog:
    """The part of a server's logs that belongs to the running test."""

    def __init__(self, server):
        self.server = server
        self.offsets = {}
        self.expected = []
        self.allowed = []
        self.earlier = []

    # --- reading ------------------------------------------------------------
    def _new(self, name):
        """Bytes of a log since begin()."""
        try:
            with open(self.server.path(name), "rb") as file:
                file.seek(self.offsets.get(name, 0))
                return file.read()
        except FileNotFoundError:
            return b""

    def text(self):
        return self._new("error_log").decode("utf-8", "replace")

    def count(self, needle):
        """In the whole log, not only this test's part."""
        return self.server.read("error_log").count(needle)

    def lines(self, needle=""):
        return [line for line in self.text().split("\n")
                if line and needle in line]

    def wait_for(self, needle, seconds=10):
        return until(lambda: self.lines(needle), seconds,
                     "%r in the log" % needle)

    # --- one test -----------------------------------------------------------
    def begin(self):
        # The module's log is written by a thread of its own: a line of the
        # test before can still come.
        self.earlier = self.expected + self.allowed
        self.expected, self.allowed = [], list(MACHINE)
        for name in ("error_log", "access_log", "console"):
            path = self.server.path(name)
            self.offsets[name] = os.path.getsize(path) \
                if os.path.exists(path) else 0

    def expect(self, *names):
        """These numbers or texts come, and are no failure."""
        self.expected += names

    def allow(self, *names):
        """These may come."""
        self.allowed += names

    def problems(self, secrets):
        """Sentences; an empty list when all is well."""
        found = []
        for name in self.expected:
            try:
                self.wait_for(name, 3)
            except AssertionError:
                found.append("the log never said %s" % name)
        reports, known = self._reports()
        known += self.expected + self.allowed + self.earlier
        for line in self.lines():
            match = LINE.search(line)
            level = match.group(2) if match else "none"
            is_bad = level in BAD_LEVELS or CRASH.search(line)
            if is_bad and not any(name in line for name in known):
                found.append("unexpected in the log: " + line)
        return found + reports + self._leaks(secrets)

    def _reports(self):
        """Reports of sanitizers, and what the log may say of those that are
        no fault of ours."""
        found, known = [], []
        for path in glob.glob(self.server.path("reports", "*")):
            with open(path, encoding="utf-8", errors="replace") as file:
                report = file.read()
            if not report:
                continue
            if is_unclean_stop(report):
                pid = path.rsplit(".", 1)[1]
                known += ["child pid %s exit signal" % pid,
                          "AddressSanitizer:DEADLYSIGNAL"]
            elif not is_of_httpd_alone(report):
                found.append("report of a crash: " + report[:6000])
            os.rename(path, self.server.path("seen-" + os.path.basename(path)))
        return found, known

    def _leaks(self, secrets):
        found = []
        for name in ("error_log", "access_log", "console"):
            data = self._new(name)
            for label, secret in secrets:
                if secret in data:
                    found.append("%s stands in %s" % (label, name))
        return found
