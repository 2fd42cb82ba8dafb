# SPDX-License-Identifier: Apache-2.0
"""Tests of the database by several processes, and of bailianctl.

BL_BUILD_DIR names the build directory; without it the source tree is taken.
BL_STORE_SLOW=1 runs the long forms (D06 for ten minutes, D10 a thousand times).
"""
import json
import os
import sqlite3
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BL_BUILD_DIR", ROOT))
SLOW = os.environ.get("BL_STORE_SLOW") == "1"


class Env:
    """A directory as /var/lib/bailian and /etc/bailian are, and bailianctl."""

    def __init__(self, path):
        self.dir = str(path)
        os.chmod(self.dir, 0o700)
        self.db = os.path.join(self.dir, "bailian.db")
        self.key = os.path.join(self.dir, "master.key")

    def program(self, name):
        path = os.path.join(BUILD, "tests", "store", name)
        if not os.path.exists(path):
            pytest.fail("%s is not built: make check builds it" % path)
        return path

    def run(self, *args, stdin="", ok=0, database=None):
        """bailianctl ARGS; fails unless the exit code is ok."""
        done = subprocess.run(
            [os.path.join(BUILD, "bailianctl"),
             "--database", database or self.db, "--master-key", self.key, *args],
            input=stdin, capture_output=True, text=True, timeout=300)
        assert done.returncode == ok, (args, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *args):
        return json.loads(self.run("--json", *args).stdout)

    def sql(self, text, *values):
        """Rows of a query, by a connection that makes no checkpoint."""
        # The connection is left to the end of the process: closing it could
        # make the checkpoint that D06 forbids.
        c = sqlite3.connect("file:%s?mode=ro" % self.db, uri=True, timeout=60)
        try:
            return c.execute(text, values).fetchall()
        finally:
            c.close()

    def ready(self):
        self.run("master-key", "create")
        self.run("db", "migrate")
        return self


@pytest.fixture
def env(tmp_path):
    return Env(tmp_path)
