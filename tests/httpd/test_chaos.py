# SPDX-License-Identifier: Apache-2.0
"""Readers and upstreams that do anything at any moment; then the sums.

I1 - I4, I7 and I10 after a storm of random actions. The seed is the
parameter: a run that fails is run again by its name.
"""
import os
import random
import threading

import pytest

from answers import ENDED_BADLY, TEA, TEA_TEXT, assert_answer
from env import raw
from env.environment import ALWAYS, ask_body
from env.polling import until
from env.sse import Stream

# Long, and hungry for processors: `build/test --soak` runs it.
pytestmark = pytest.mark.skipif(not os.environ.get("BL_SOAK"),
                                reason="BL_SOAK is not set")

WORKERS = 6
ROUNDS = 25
# What the client may have got at most; None: we only know that it is valid.
TEXTS = {"u07-inspection-mid": "".join(TEA[:2]), "u12-stall": "".join(TEA[:2]),
         "u14-clean-close": "".join(TEA[:2]),
         "u15-reset-in-event": "".join(TEA[:2]),
         "u16-inside-chunk": "".join(TEA[:2]),
         "u15-reset-after-end": TEA_TEXT, "u17-chunk-a-byte": TEA_TEXT,
         "u21-duplicate": "一二", "u24-cut-json": "".join(TEA[:2])}
GOOD = ("u15-reset-after-end", "u17-chunk-a-byte", "u21-duplicate",
        "u22-event-1m", "u28-firehose", "neighbour")


class Client:
    """One thread of the storm; what goes wrong is kept for the test."""

    def __init__(self, env, seed, number):
        self.env = env
        self.rng = random.Random("%d/%d" % (seed, number))
        self.user = "chaos%d-%d" % (seed, number)
        self.streams = []
        self.wrong = []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for _ in range(ROUNDS):
            app = self.rng.choice(ALWAYS + ("neighbour",))
            what = self.rng.choice(("read", "leave", "reset", "resume",
                                    "stop", "half"))
            try:
                self.act(app, what)
            except Exception as error:
                words = repr(error)
                self.wrong.append("%s %s: %s ... %s" % (
                    app, what, words[:300], words[-200:]))

    def act(self, app, what):
        base = self.rng.choice(("/once", "/cancel"))
        if app == "u12-stall":
            base = "/hasty"  # nothing else ends it
        stream = self.env.ask_open(base=base, app=app, user=self.user,
                                   seconds=60)
        assert stream.status == 200, stream.code
        self.streams.append((base, stream.stream_id))
        getattr(self, "do_" + what)(base, app, stream)
        stream.close()

    def check_text(self, app, text, is_whole):
        known = TEXTS.get(app)
        if known is None:
            return
        assert known.startswith(text), (app, text)
        if is_whole:
            assert text == known, (app, text)

    def check_end(self, app, stream):
        end = stream.end
        assert end is not None, stream
        assert stream.ended in ("clean", "close"), stream
        assert bool(end.field("error")) != (app in GOOD), stream
        self.check_text(app, stream.text, True)

    def do_read(self, _base, app, stream):
        self.check_end(app, stream.read())

    def do_half(self, base, app, stream):
        stream.conn.half_close()
        self.do_read(base, app, stream)

    def some(self, app, stream):
        stream.read(stop_after=self.rng.randint(0, 4))
        self.check_text(app, stream.text, False)

    def do_leave(self, _base, app, stream):
        self.some(app, stream)

    def do_reset(self, _base, app, stream):
        self.some(app, stream)
        stream.reset()

    def do_stop(self, base, app, stream):
        self.some(app, stream)
        reply = self.env.delete("%s/streams/%s?userId=%s" % (
            base, stream.stream_id, self.user))
        assert reply.status in (200, 202, 204), reply.status
        stream.read()
        assert stream.end is not None, stream
        self.check_text(app, stream.text, False)

    def do_resume(self, base, app, stream):
        self.some(app, stream)
        stream.close()
        if not stream.seqs:
            return
        again = self.env.resume(stream, base=base, user=self.user, seconds=60,
                                after=max(stream.seqs))
        if again.status == 204:
            assert stream.end is not None
            return
        assert again.end is not None, again
        assert min(again.seqs) > max(stream.seqs)
        self.check_text(app, stream.text + again.text,
                        not again.end.field("error"))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("env", [
    {}, {"children": 2, "threads": 16}, {"global_extra": "BailianAsync sync"}],
    indirect=True, ids=["one-child", "two-children", "sync"])
def test_storm_leaves_every_stream_with_one_end(env, seed):
    env.allow_log(ENDED_BADLY)
    env.ask(app="neighbour")
    before = env.server.base_line()
    clients = [Client(env, seed, n) for n in range(WORKERS)]
    for client in clients:
        client.thread.start()
    for client in clients:
        client.thread.join(120)
        assert not client.thread.is_alive()
    wrong = [w for c in clients for w in c.wrong]
    assert not wrong, "\n".join(wrong)
    for client in clients:
        for base, stream_id in client.streams:
            env.ended(stream_id, base=base, user=client.user, seconds=15)
    until(lambda: not [r for r in env.bailian.requests()
                       if r["state"] == "open"], 10, "closed upstreams")
    until(lambda: env.server.descriptors() <= before + 12, 30,
          "the descriptors of the base line")
    env.bailian.say(*TEA)
    assert_answer(env.ask())


def test_requests_in_pieces_of_any_size(env):
    """The head and the body of a request cut at random places."""
    rng = random.Random(7)
    env.bailian.say(*TEA)
    whole = raw.request("POST", "/bailian/stream", ask_body(), close=True)
    for _ in range(20):
        conn = env.connect()
        at = 0
        while at < len(whole):
            size = rng.randint(1, 60)
            conn.send(whole[at:at + size])
            at += size
        assert_answer(Stream(conn).read())

