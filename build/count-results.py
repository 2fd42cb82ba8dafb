#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""count-results - adds up what test suites left behind.

    count-results.py REPORT...

A report is an automake .trs file (a cmocka program counts its tests, any other
test is one) or a JUnit file of pytest. What a report.again.xml says passed,
failed in report.xml for once: it counts as passed and is named as unsteady.
The last line printed is "N passed, N failed"; what failed, what was skipped
and what is unsteady stands above it.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

AGAIN = ".again.xml"


class Counts:
    def __init__(self):
        self.passed = 0
        self.failures = []
        self.skipped = []
        self.unsteady = []

    def add_trs(self, path):
        name = path[:-len(".trs")]
        with open(path, encoding="utf-8", errors="replace") as file:
            result = re.search(r"^:global-test-result: (\w+)", file.read(),
                               re.M)
        result = result.group(1) if result else "ERROR"
        if result == "SKIP":
            self.skipped.append(name)
            return
        with open(name + ".log", encoding="utf-8", errors="replace") as file:
            log = file.read()
        passed = sum(map(int, re.findall(
            r"^\[  PASSED  \] (\d+) test\(s\)", log, re.M)))
        failed = re.findall(r"^\[  FAILED  \] (?!\d)(\S+)$", log, re.M)
        self.passed += passed
        self.failures += ["%s: %s" % (name, test)
                          for test in dict.fromkeys(failed)]
        if result == "PASS":
            self.passed += 0 if passed else 1
        elif not failed:
            self.failures.append("%s: %s" % (name, result))

    def add_junit(self, path):
        for case in ElementTree.parse(path).iter("testcase"):
            name = "%s: %s" % (case.get("classname"), case.get("name"))
            if path.endswith(AGAIN):
                self.add_again(case, name)
            elif case.find("failure") is not None \
                    or case.find("error") is not None:
                self.failures.append(name)
            elif case.find("skipped") is not None:
                self.skipped.append(name)
            else:
                self.passed += 1

    def add_again(self, case, name):
        """A test that is among the failures by now: these reports are read
        last."""
        if name in self.failures and not any(
                case.find(kind) is not None
                for kind in ("failure", "error", "skipped")):
            self.failures.remove(name)
            self.unsteady.append(name)
            self.passed += 1


def main(paths):
    counts = Counts()
    for path in sorted(paths, key=lambda path: path.endswith(AGAIN)):
        if path.endswith(".trs"):
            counts.add_trs(path)
        else:
            counts.add_junit(path)
    for name in counts.skipped:
        print("skipped: " + name)
    for name in counts.unsteady:
        print("unsteady: " + name)
    for name in dict.fromkeys(counts.failures):
        print("failed: " + name)
    print("%d passed, %d failed" % (counts.passed, len(counts.failures)))
    return 1 if counts.failures or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
