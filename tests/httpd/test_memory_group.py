# SPDX-License-Identifier: Apache-2.0
"""R03 where the kernel counts, too: httpd in a control group of its own. Streams
are refused before it would end a process. BL_MEMORY_GROUP says where groups
can be made; there is none on most machines that only run tests."""
import contextlib
import threading

import pytest

from answers import TEA, assert_answer, last, piece
from env.group import ABOVE
from env.polling import until
from test_memory import (BUDGET, BUSY, MIB, PATIENT, SHORT, assert_refused,
                         empty, fill, held, is_nearly_empty, metric, question)

pytestmark = [pytest.mark.own_server,
              pytest.mark.skipif(not ABOVE,
                                 reason="BL_MEMORY_GROUP is not set")]
ASKED = 4000
CAP = 64 * MIB  # above the base line
WORST = 3 * BUDGET  # docs/directives.md
ROOMY = 1024 * MIB
capped = pytest.mark.server(
    locations=PATIENT, global_extra="BailianMemoryBudget 32M", children=2,
    threads=64, factor=100, memory_limit=ROOMY)


def cap(env, size):
    """So much more than a server needs that has answered."""
    until(env.server.whole, 30, "the last child")
    env.bailian.say(*TEA)
    for number in range(8):
        assert_answer(env.ask(user="warm%d" % number))
    until(lambda: is_nearly_empty(env), 20, "the memory back")
    base = env.server.group.used()
    env.server.group.limit(base + size)
    return base


def ask_many(env):
    """Those of all that were let in; the others were told why not."""
    found = []
    for number in range(ASKED):
        stream = env.ask_open(base="/patient", user="many%d" % number,
                              seconds=300)
        if stream.reply is None:
            found.append(stream.read(stop_after=2))
            continue
        assert_refused(stream.reply)
        stream.close()
    return found


@contextlib.contextmanager
def most_used(env):
    """[bytes]: the most of what was seen, often a second."""
    most, is_over = [0], threading.Event()

    def look():
        while not is_over.wait(0.005):
            most[0] = max(most[0], env.server.group.used())
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        is_over.set()
        thread.join()


def assert_nobody_was_killed(env, pids):
    assert env.server.group.killed() == 0
    assert set(pids) <= set(env.server.children())


@capped
def test_r03_thousands_are_asked_for_and_the_kernel_ends_nobody(env, capsys):
    env.allow_log(SHORT, BUSY)
    base = cap(env, CAP)
    pids = env.server.children()
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"}, last(*TEA[2:])])
    streams = ask_many(env)
    with capsys.disabled():
        print("\nR03: %d of %d let in; %.1f MiB above the base line of %.1f, "
              "%.1f counted" % (
                  len(streams), ASKED, (env.server.group.used() - base) / MIB,
                  base / MIB, held(env) / MIB))
    assert 100 < len(streams) < ASKED
    assert_nobody_was_killed(env, pids)
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read(seconds=300))
    until(lambda: is_nearly_empty(env), 60, "the memory back")
    env.bailian.say(*TEA)
    assert_answer(env.ask(user="later"))
    assert_nobody_was_killed(env, pids)


@capped
def test_r03_large_answers_end_at_once_and_the_kernel_ends_nobody(env, capsys):
    """The text of each is put together at its end and copied for the database,
    above what it held: they end in the same moment."""
    env.allow_log(SHORT, BUSY)
    base = cap(env, WORST)
    pids = env.server.children()
    streams = fill(env, "go")
    for number in range(100):
        assert_refused(env.post("/bailian/stream", question("u%d" % number)))
    full, counted = env.server.group.used() - base, held(env)
    with most_used(env) as most:
        empty(env, "go", streams)
    with capsys.disabled():
        print("\nR03: %.1f MiB counted are %.1f above the base line of %.1f, "
              "and %.1f when all end" % (counted / MIB, full / MIB, base / MIB,
                                         (most[0] - base) / MIB))
    assert_nobody_was_killed(env, pids)


@pytest.mark.server(locations=PATIENT, memory_limit=256 * MIB)
def test_r03_default_is_a_third_of_the_group(env):
    assert metric(env, "memory_budget_bytes") == 256 * MIB // 3 > BUDGET
