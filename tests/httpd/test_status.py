# SPDX-License-Identifier: Apache-2.0
"""mod_status tells of the streams of all children, to eyes and to scripts."""
import re

import pytest

from answers import TEA, assert_answer, last, piece
from env.polling import until

SEVERAL = 6
pytestmark = pytest.mark.server(children=2, locations=(
    '<Location "/status">\nSetHandler server-status\n</Location>'))


@pytest.fixture
def waiting(env):
    """Streams that have said something and wait; they end with the test."""
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    streams = [env.ask_open(user="status-%d" % n, seconds=60)
               for n in range(SEVERAL)]
    for stream in streams:
        stream.read(stop_after=2)
    yield streams
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())


def auto(env):
    """What `?auto` says of the module, by name."""
    found = dict(line.split(": ", 1) for line in
                 env.get("/status?auto").body.decode().splitlines()
                 if line.startswith("Bailian"))
    return {name: int(value) for name, value in found.items()}


def rows(env):
    """The cells of each stream in the page."""
    text = env.get("/status").body.decode()
    table = text[text.index("Bailian streams"):]
    return [re.findall(r"<td>(.*?)</td>", row)
            for row in re.findall(r"<tr>(<td>.*?)</tr>", table)]


def test_auto_counts_what_begins_and_what_ends(env, waiting):
    before = auto(env)
    assert before["BailianStreamsLive"] == SEVERAL
    env.bailian.release("go")
    for stream in waiting:
        assert_answer(stream.read())
    until(lambda: auto(env)["BailianStreamsLive"] == 0, 20, "their end")
    after = auto(env)
    assert after["BailianStreamsStarted"] == before["BailianStreamsStarted"]
    assert after["BailianStreamsCompleted"] == \
        before["BailianStreamsCompleted"] + SEVERAL
    assert set(after) == set(before)
    assert all(after[name] >= before[name] for name in after
               if name != "BailianStreamsLive")


def test_page_has_a_row_for_each_stream_of_any_child(env, waiting):
    found = {row[1]: row for row in rows(env)}
    assert set(found) == {stream.stream_id[:8] for stream in waiting}
    for pid, _, owner, app, phase, age, events, size, attempt, readers in \
            found.values():
        assert int(pid) in env.server.children()
        assert (app, phase, attempt[0], readers) == (
            "default", "streaming", "1", "1")
        assert "status-" in owner and float(age) >= 0
        assert int(events) >= 3 and int(size) > 0
    assert "Bailian streams: %d live" % SEVERAL in \
        env.get("/status").body.decode()


def test_page_escapes_what_callers_say(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    stream = env.ask_open(user="<img src=x>&\"'")
    stream.next_content()
    text = env.get("/status").body.decode()
    assert "&lt;img src=x&gt;&amp;" in text and "<img src=x" not in text
    env.bailian.release("go")
    assert_answer(stream.read())


def test_page_is_whole_when_nothing_runs(env):
    until(lambda: auto(env)["BailianStreamsLive"] == 0, 20, "no streams")
    assert not rows(env)
