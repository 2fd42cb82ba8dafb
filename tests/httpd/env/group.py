# SPDX-License-Identifier: Apache-2.0
"""group - a control group (version 2) of a server's own, with a limit of its
memory that the kernel itself enforces.

BL_MEMORY_GROUP names the one in which it is made: this process may make others
there, and they have the memory controller (docs/testing.md).
"""
import os
import tempfile

ABOVE = os.environ.get("BL_MEMORY_GROUP")
JOIN = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


class Group:
    def __init__(self, limit=None):
        self.path = tempfile.mkdtemp(prefix="bl-test-", dir=ABOVE)
        self._write("memory.swap.max", 0)
        if limit:
            self.limit(limit)

    def _read(self, name):
        with open(os.path.join(self.path, name), encoding="ascii") as file:
            return file.read()

    def _write(self, name, value):
        path = os.path.join(self.path, name)
        if name == "memory.swap.max" and not os.path.exists(path):
            return  # the kernel has no swap
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))

    def runner(self):
        """What a command is started by that is to be in it."""
        return ["/bin/sh", "-c", JOIN, self.path]

    # --- its memory ---------------------------------------------------------
    def limit(self, size):
        self._write("memory.max", size)

    def used(self):
        """Without what the kernel takes back when it needs it."""
        stat = dict(line.split() for line in
                    self._read("memory.stat").splitlines())
        return int(self._read("memory.current")) - int(stat["inactive_file"]) \
            - int(stat["active_file"])

    def killed(self):
        """How many processes the kernel has ended for their memory."""
        events = dict(line.split() for line in
                      self._read("memory.events").splitlines())
        return int(events["oom_kill"])

    def remove(self):
        os.rmdir(self.path)
