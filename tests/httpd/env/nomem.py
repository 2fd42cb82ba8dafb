# SPDX-License-Identifier: Apache-2.0
"""nomem - memory that the module does not get: what the library that is
preloaded into httpd (shim/nomem.c) does.

    with env.server.nomem.fails(7) as failure: ...   # the seventh from now on
    with env.server.nomem.at_random(seed): ...       # each in a hundred
"""
import contextlib

from .faults import Words
from .polling import until

NAMES = ("left", "seen", "failed", "rate", "seed", "leaks")
CALLERS = 6 * 8
ONE_PERCENT = 10000
FOUND_LEAKS, FOUND_NONE = 2, 3


class NoMemory(Words):
    NAMES, VARIABLE, SIZE = NAMES, "BL_NOMEM", 8192

    @contextlib.contextmanager
    def fails(self, number):
        """So many allocations from now on one fails."""
        self.begin()
        self.set("left", number)
        try:
            yield self
        finally:
            self.enough()

    @contextlib.contextmanager
    def at_random(self, seed, rate=ONE_PERCENT):
        self.begin()
        self.set("seed", seed)
        self.set("rate", rate)
        try:
            yield self
        finally:
            self.enough()

    @contextlib.contextmanager
    def counts(self):
        """None fails; `seen` says how many there were."""
        with self.fails(1 << 60):
            yield self

    def begin(self):
        self.set("seen", 0)
        self.set("failed", 0)

    def enough(self):
        """Nothing fails any more."""
        self.set("rate", 0)
        self.set("left", 0)

    @property
    def seen(self):
        return self.get("seen")

    @property
    def failed(self):
        return self.get("failed")

    def callers(self):
        """Of the last one that failed, innermost first."""
        text = bytes(self.words[CALLERS:])
        return text.split(b"\0", 1)[0].decode("latin-1")

    def look_for_leaks(self, awaken):
        """What the sanitizer says goes to the reports. awaken() makes the
        child do something."""
        self.set("leaks", 1)

        def is_done():
            awaken()
            return self.get("leaks") in (FOUND_LEAKS, FOUND_NONE)
        until(is_done, 60, "the search for leaks")
        return self.get("leaks") == FOUND_LEAKS

    def environment(self, known):
        """The first of all: what a sanitizer's library gives may fail too."""
        found = dict(known, BL_NOMEM=self.path, LD_PRELOAD=" ".join(
            filter(None, (self.library, known.get("LD_PRELOAD")))))
        if "ASAN_OPTIONS" in found:
            found["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        return found
