# SPDX-License-Identifier: Apache-2.0
"""P01 and P04 as the rows have them: hundreds of live streams in three
children, kills and restarts in a row. `build/test --soak` runs them.
"""
import os
import random
import re
import threading
import time

import pytest

from answers import last
from env import ws
from env.admin import LOCATION, Admin
from env.database import look
from env.environment import ask_body
from env.herd import Herd, all_ended, of_process
from env.polling import until

pytestmark = pytest.mark.skipif(not os.environ.get("BL_SOAK"),
                                reason="BL_SOAK is not set")

STREAMS = int(os.environ.get("BL_STREAMS", 500))
KILLS = int(os.environ.get("BL_KILLS", 20))
RESTARTS = int(os.environ.get("BL_RESTARTS", 20))
SEED = int(os.environ.get("BL_SEED", time.time()))
CROWD = {"children": 3, "threads": 16, "factor": 60,
         "log_level": "info bailian_sse:info", "locations": LOCATION}
COMPLETED, INTERRUPTED = 1, 6
# How answers come, by app: a word a second, as of a slow model, or a third of
# them; 10 KiB a second, for the bytes; all at once.
LONG, SHORT, FAST, QUICK = (None, "u17-chunk-a-byte", "u22-event-1m",
                            "u21-duplicate")
WORDS = ["word%03d " % n for n in range(60)]
KIB = [("%04d" % n).ljust(1023, ".") + " " for n in range(400)]
ANSWERS = {LONG: (WORDS, 1.0), SHORT: (WORDS[:20], 1.0), FAST: (KIB, 0.1),
           QUICK: (WORDS[:5], 0)}
TEXTS = {app: "".join(pieces) for app, (pieces, _) in ANSWERS.items()}


class Crowd:
    """So many streams, each with its one reader."""

    def __init__(self, env, herd, apps):
        self.env, self.herd, self.apps = env, herd, apps
        self.clients = []
        for app, (pieces, interval) in ANSWERS.items():
            env.bailian.scenario([last(*pieces, interval=interval)],
                                 name=app or "current")

    @property
    def live(self):
        return [c for c in self.clients if not c.has_ended]

    def ask(self):
        number = len(self.clients)
        app = self.apps[number % len(self.apps)]
        user = "crowd%d" % number
        client = self.herd.ask(
            self.env.server.port, "POST", "/bailian/stream",
            ask_body("q", app, user), {"Accept": "text/event-stream"}, user)
        client.app = app
        self.clients.append(client)

    def fill_up(self, count):
        """So many live ones, each of which has said something."""
        for _ in range(count - len(self.live)):
            self.ask()
        until(lambda: all(c.event_count > 3 for c in self.live), 60,
              "the first words of every stream")



def assert_whole(client):
    stream = client.read()
    assert stream.text == TEXTS[client.app], stream
    assert stream.is_completed, stream
    assert stream.seqs == sorted(set(stream.seqs))


def resume(env, herd, client, after):
    return herd.ask(env.server.port, "GET",
                    "/bailian/streams/%s/events?userId=%s&after=%d"
                    % (client.stream_id, client.user, after),
                    user=client.user)


def answered(env, herd, asked):
    """{client: its answer}, of {client: after}. Whoever is told to come back
    later does."""
    found = {}
    waiting = {c: resume(env, herd, c, after) for c, after in asked.items()}

    def look_at_them():
        for client, reader in list(waiting.items()):
            if not reader.has_ended:
                continue
            stream = reader.read()
            if stream is not None and stream.status != 503:
                found[client] = stream
                del waiting[client]
            elif time.monotonic() > reader.asked_at + 1:
                waiting[client] = resume(env, herd, client, asked[client])
        return not waiting
    until(look_at_them, 120, "an answer to each who came back")
    return found


# --- P01 --------------------------------------------------------------------
class Losses:
    """What the kills took; the worst of all of them."""

    def __init__(self):
        self.streams, self.seconds, self.bytes, self.back = 0, 0, 0, []

    def add(self, client, received, stored_seq, stored_text, killed_at):
        self.streams += 1
        self.bytes = max(self.bytes, len(received.text.encode())
                         - len(stored_text.encode()))
        lost = [at for at, _ in client.times
                if at > killed_at - 10 and max(
                    (client.read_until(at) or received).seqs or [0])
                > stored_seq]
        if lost:
            self.seconds = max(self.seconds, killed_at - lost[0])


def stored_seq(env, client):
    """The newest event that was stored, the end that recovery wrote left
    out."""
    (seq,), = look(env.server, "SELECT ifnull(max(e.last_seq), 0)"
                   " FROM stream_event e JOIN stream s ON s.id = e.stream"
                   " WHERE s.stream_id = ? AND e.last_seq < s.event_count",
                   bytes.fromhex(client.stream_id))
    return seq


def outcome(env, client):
    found = look(env.server, "SELECT outcome FROM stream WHERE stream_id = ?",
                 bytes.fromhex(client.stream_id))
    return found[0][0] if found else None


def check_victims(env, herd, victims, killed_at, losses):
    for client in victims:
        stream = client.read()
        assert stream.ended in ("cut", "reset") and stream.end is None
    # All at once, from the last they saw.
    seen = {c: max(c.read().seqs) for c in victims}
    again = answered(env, herd, seen)
    losses.back.append(time.monotonic() - killed_at)
    until(lambda: all(outcome(env, c) == INTERRUPTED for c in victims), 20,
          "the outcome of each")
    whole = answered(env, herd, {c: 0 for c in victims})
    for client in victims:
        check_victim(env, client, again[client], whole[client], killed_at,
                     losses)


def check_victim(env, client, again, whole, killed_at, losses):
    received, stored = client.read(), stored_seq(env, client)
    # From its beginning: what is stored, and then the end.
    assert whole.code == "interrupted" and whole.end is not None
    assert received.text.startswith(whole.text)
    assert [e.data for e in received.events if e.id][:stored] == [
        e.data for e in whole.events if e.id][:-1]
    # An end above all that can have been delivered.
    assert whole.end.seq > max(received.seqs)
    if max(received.seqs) > stored:
        assert again.status == 410 and again.code == "events_trimmed"
        assert again.reply.json()["detail"].endswith(" %d" % stored)
    else:
        assert again.status == 200 and again.code == "interrupted"
        assert again.end.seq == whole.end.seq and again.text == ""
    # 2 s is what it may take; much more, for a machine that does other things.
    then = client.read_until(killed_at - 10)
    assert not then or not then.seqs or max(then.seqs) <= stored
    losses.add(client, received, stored, whole.text, killed_at)


def kill_one(env, herd, crowd, chance, losses):
    pid = chance.choice(env.server.children())
    victims = of_process(pid, crowd.live)
    others = [c for c in crowd.live if c not in victims]
    killed_at = time.monotonic()
    os.kill(pid, 9)
    all_ended(victims, 20, "the end of the connections of the child")
    sizes = {c: c.size for c in others}
    check_victims(env, herd, victims, killed_at, losses)
    until(lambda: all(c.has_ended or c.size > sizes[c] for c in others), 60,
          "the next words of the other children's streams")
    env.ctl("db", "check")  # I8
    return victims


@pytest.mark.own_server
@pytest.mark.server(**CROWD)
def test_p01_kills_among_hundreds_of_streams(env):
    env.allow_log("BL1412")
    print("BL_SEED=%d" % SEED)
    chance, losses, killed = random.Random(SEED), Losses(), []
    with Herd() as herd:
        crowd = Crowd(env, herd, [FAST] + 19 * [LONG])
        for turn in range(KILLS):
            until(env.server.whole, 30, "three children")
            crowd.fill_up(STREAMS)
            # A past that is long enough to be stored.
            time.sleep(chance.uniform(4, 6))
            killed += kill_one(env, herd, crowd, chance, losses)
            print("kill %d: %d streams of %d, all answered after %.1f s" % (
                turn + 1, len(killed), len(crowd.clients), losses.back[-1]))
        all_ended(crowd.clients, 300, "the end of what was left")
        for client in set(crowd.clients) - set(killed):
            assert_whole(client)
    print("lost at most: %.2f s, %d bytes" % (losses.seconds, losses.bytes))
    assert interrupted_in_log(env) == len(killed)
    assert look(env.server, "SELECT count(*) FROM stream WHERE outcome = 0"
                ) == [(0,)]
    expect_sums(env, len(crowd.clients) - len(killed), len(killed))


def interrupted_in_log(env):
    return sum(int(re.search(r"BL1412\S* (\d+) streams", line).group(1))
               for line in env.log.lines("BL1412"))


def expect_sums(env, completed, interrupted):
    """I2, over all children and those that are gone."""
    def sums():
        found = Admin(env).get("overview").json()["counters"]
        return {name: found["streams_" + name] for name in (
            "started", "completed", "length", "cancelled", "timeout", "error",
            "interrupted")} == {
                "started": completed + interrupted, "completed": completed,
                "length": 0, "cancelled": 0, "timeout": 0, "error": 0,
                "interrupted": interrupted}
    until(sums, 20, "sums that agree")


# --- P04 --------------------------------------------------------------------
class Probes:
    """Clients that come all the time, each on a connection of its own."""

    def __init__(self, env):
        self.env = env
        self.wrong, self.count, self.asked = [], 0, 0
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(60)

    def _run(self):
        turn = 0
        while not self.is_over.wait(0.05):
            turn += 1
            try:
                self._ask(turn)
            except (AssertionError, OSError) as error:
                self.wrong.append(repr(error))

    def _ask(self, turn):
        self.count += 1
        if turn % 10:
            assert self.env.get("/bailian/livez").status == 200
            return
        self.asked += 1
        answer = self.env.ask(app=QUICK, user="probe%d" % self.asked,
                              seconds=60)
        assert answer.text == TEXTS[QUICK] and answer.is_completed, answer


def restart(env, number):
    """With another limit each time."""
    line = "\n    BailianMaxBody %d" % (100000 + number)
    body = re.sub(r"\n    BailianMaxBody \d+", "", env.server.body)
    env.server.configure(body.replace("BailianRetry off",
                                      "BailianRetry off" + line, 1))
    env.server.graceful()


def go_on(env, herd, clients):
    """They leave, and come for the rest: whichever child takes them."""
    for client in clients:
        herd.leave(client)
        client.parts = [client]
        client.parts.append(resume(env, herd, client,
                                   max(client.read().seqs)))


def read_on(env, herd, clients):
    """Those who are told to come back do, until there is an end."""
    open_ones = set(clients)
    while open_ones:
        all_ended([c.parts[-1] for c in open_ones], 120, "each part")
        for client in list(open_ones):
            part = client.parts[-1].read()
            if part.status == 200 and part.end is not None:
                open_ones.remove(client)
                continue
            assert part.status in (200, 503), part.status
            client.parts.append(resume(env, herd, client, max(
                seq for one in client.parts
                for seq in getattr(one.read(), "seqs", []) or [0])))


def check_parts(client, stored):
    """Nothing is missing between them, and nothing comes twice."""
    parts = [part.read() for part in client.parts]
    parts = [part for part in parts if part.status == 200]
    seqs = [seq for part in parts for seq in part.seqs]
    assert seqs == sorted(set(seqs)), seqs
    text = "".join(part.text for part in parts)
    end = parts[-1].end
    assert text == stored.text and TEXTS[client.app].startswith(text)
    if not end.field("error"):
        assert text == end.content == TEXTS[client.app]
    else:
        assert end.field("code") == "draining", end


def check_drained(stream, whole, text):
    """What he read is all that came, and what is read now in another
    generation."""
    assert stream.text == whole.text and text.startswith(whole.text)
    assert whole.end is not None and whole.code == "draining", whole
    assert stream.code == "draining" and stream.ended in ("clean", "close")
    assert stream.end is not None and stream.end.seq == whole.end.seq


def talks(env, count):
    """WebSockets; every other one has an answer that runs."""
    found = [ws.Talk(env.connect(seconds=60), "/bailian/ws?userId=talk%d" % n)
             for n in range(count)]
    for socket in found:
        socket.greeted()
    for socket in found[::2]:
        socket.ask("q")
        socket.get("CHAT_STREAM_START")
    return found


def check_talks(sockets):
    for socket in sockets[::2]:
        text = ""
        message = socket.message()
        while message["type"] == "CHAT_STREAM_DATA":
            text += message["data"]["content"]
            message = socket.message()
        assert TEXTS[LONG].startswith(text)
        assert (message["type"], message["code"]) == ("ERROR", "draining")
        assert socket.get("CHAT_STREAM_END")["finishReason"] == "error"
    hints = set()
    for socket in sockets:
        assert socket.until_closed(60) == 1012
        hints.update(re.findall(r"^draining retry=(\d+)$",
                                socket.close_reason))
    assert len(hints) > len(sockets) // 2, hints


@pytest.mark.own_server
@pytest.mark.server(server_limit=80, **CROWD)
def test_p04_restarts_in_a_row_among_hundreds_of_streams(env):
    env.allow_log("BL1304")
    with Herd() as herd, Probes(env) as probes:
        crowd = Crowd(env, herd, [LONG, LONG, SHORT])
        crowd.fill_up(STREAMS)
        sockets, returned = talks(env, 20), []
        for number in range(RESTARTS):
            began = time.monotonic()
            restart(env, number)
            if number == 3:
                returned = crowd.live[::10]
                go_on(env, herd, returned)
            time.sleep(max(0, 2 - (time.monotonic() - began)))
        check_talks(sockets)
        all_ended(crowd.clients, 120, "the end of every stream")
        read_on(env, herd, returned)
        probes.is_over.set()
        judge_restarts(env, herd, crowd, returned)
    assert not probes.wrong, (len(probes.wrong), probes.wrong[:5])
    print("%d connections meanwhile, %d answers, none refused" % (
        probes.count, probes.asked))
    assert not env.log.lines("scoreboard is full")
    assert len(env.log.lines("BL1307")) >= RESTARTS
    expect_outcomes(env, len(crowd.clients) + len(sockets) // 2
                    + probes.asked)
    env.ctl("db", "check")


def expect_outcomes(env, started):
    """Completed or interrupted, and no third."""
    def counts():
        return [look(env.server,
                     "SELECT count(*) FROM stream WHERE outcome = ?", one)[0][0]
                for one in (COMPLETED, INTERRUPTED)]
    until(lambda: sum(counts()) == started, 20, "an outcome of each")
    assert look(env.server, "SELECT count(*) FROM stream") == [(started,)]
    expect_sums(env, *counts())


def judge_restarts(env, herd, crowd, returned):
    drained = []
    for client in set(crowd.clients) - set(returned):
        if client.read().is_completed:
            assert_whole(client)
        else:
            drained.append(client)
    print("%d completed, %d drained, %d came back meanwhile" % (
        len(crowd.clients) - len(drained) - len(returned), len(drained),
        len(returned)))
    # Those that had time enough: the short ones, on any machine but a crawling
    # one.
    assert len(drained) < len(crowd.clients) - len(returned)
    hints = {re.search(rb"^retry: (\d+)$", c.read().raw, re.M).group(1)
             for c in drained}
    assert len(hints) > len(drained) // 2, hints
    stored = answered(env, herd, {c: 0 for c in drained + returned})
    for client in drained:
        check_drained(client.read(), stored[client], TEXTS[client.app])
    for client in returned:
        check_parts(client, stored[client])
