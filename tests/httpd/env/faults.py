# SPDX-License-Identifier: Apache-2.0
"""faults - what the libraries that are preloaded into httpd do.

    faults.set("wall_s", 3600)

Children see a change at once; clear() ends all faults.
"""
import mmap
import os
import struct
import subprocess

SHIM = os.path.join(os.path.dirname(__file__), "..", "shim")
WORD = struct.Struct("l")


def compile_shim(directory, name):
    path = os.path.join(directory, name + ".so")
    subprocess.run(os.environ.get("CC", "gcc").split() + [
        "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path,
        os.path.join(SHIM, name + ".c"), "-ldl"], check=True)
    os.chmod(path, 0o755)
    return path


class Words:
    """Words that a process under test and the test share by a file."""

    NAMES = ()  # in the order of the struct of the library
    VARIABLE = ""
    SIZE = 4096

    def __init__(self, directory, library=None):
        self.path = os.path.join(directory, self.VARIABLE)
        self.library = library
        with open(self.path, "wb") as file:
            file.write(bytes(self.SIZE))
        os.chmod(self.path, 0o666)
        with open(self.path, "r+b") as file:
            self.words = mmap.mmap(file.fileno(), self.SIZE)

    def set(self, name, value=1):
        WORD.pack_into(self.words, self.NAMES.index(name) * WORD.size,
                       int(value))

    def get(self, name):
        return WORD.unpack_from(self.words,
                                self.NAMES.index(name) * WORD.size)[0]

    def clear(self):
        for name in self.NAMES:
            self.set(name, 0)

    def environment(self, known):
        """For httpd: a sanitizer's library stays the first."""
        before = known.get("LD_PRELOAD")
        found = dict(known, **{self.VARIABLE: self.path})
        found["LD_PRELOAD"] = " ".join(filter(None, (before, self.library)))
        return found


class Faults(Words):
    """shim/faults.c"""

    NAMES = ("wall_s", "boot_ms", "stuck", "no_random", "no_threads",
             "crash_reactor", "crash_writer", "crash_request", "files",
             "stuck_seen", "late_ms", "silent_names")
    VARIABLE = "BL_FAULTS"


class Kills(Words):
    """shim/kill_at.c"""

    NAMES = ("left", "of_writer")
    VARIABLE = "BL_KILL_AT"
