#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""second-look - which tests of a suite may be run once more.

    second-look.py MOST REPORT...

Prints a pytest node for each test of the JUnit files that failed, or nothing
when they are more than MOST together: then it is no accident. Nothing too when
one ended in an error, which is how tests/httpd tells of a crash, of a
sanitizer, of a log line that nobody expected and of a secret that got out.
"""
import sys
import xml.etree.ElementTree as ElementTree


def failed(paths):
    """The nodes; None when there was an error."""
    nodes = []
    for path in paths:
        for case in ElementTree.parse(path).iter("testcase"):
            if case.find("error") is not None:
                return None
            if case.find("failure") is not None:
                nodes.append("%s.py::%s" % (
                    case.get("classname", "").replace(".", "/"),
                    case.get("name")))
    return nodes


def main(most, *paths):
    nodes = failed(paths)
    if nodes and len(nodes) <= int(most):
        print("\n".join(nodes))


if __name__ == "__main__":
    main(*sys.argv[1:])
