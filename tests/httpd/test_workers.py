# SPDX-License-Identifier: Apache-2.0
"""httpd's own threads, which wait for requests: when no stream has run for a
while each of them gives back the memory that it keeps for itself."""
import contextlib
import glob

import pytest

from answers import TEA, assert_answer
from env.polling import until
from test_modes import modes

WORKERS = 32
REST_S = 14


def woken(env):
    """How often each thread that is not the module's own began to run."""
    (pid,) = env.server.children()
    times = {}
    for path in glob.glob("/proc/%d/task/*/status" % pid):
        with contextlib.suppress(OSError):
            with open(path, encoding="ascii", errors="replace") as file:
                status = dict(line.split(":", 1) for line in file)
            if not status["Name"].strip().startswith("bl-"):
                times[path] = int(status["voluntary_ctxt_switches"])
    return times


@modes("event")
@pytest.mark.server(threads=WORKERS)
def test_each_worker_has_its_turn_when_streams_have_ended(env):
    env.bailian.say(*TEA)
    assert_answer(env.ask())
    before = woken(env)
    assert len(before) > WORKERS

    def risen():
        now = woken(env)
        return [path for path in before if now[path] > before[path]]

    until(lambda: len(risen()) >= WORKERS, 4 * REST_S,
          "the workers, of which each was woken")
    env.bailian.say(*TEA)
    assert_answer(env.ask())
