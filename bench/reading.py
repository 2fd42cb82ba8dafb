# SPDX-License-Identifier: Apache-2.0
"""What an answer costs that is read by polls, by long polls, or by one
transport after the other, beside the same answers by SSE.

Every answer is begun as a session and read to its end in one of these ways, by
a thread each; what was read is compared with what a poll says of the whole.
"""
import http.client
import itertools
import json
import threading
import time

POLL_S = 0.5
WAIT_MS = 25000
SWITCHES = 8


class Answer(threading.Thread):
    """One answer; `way` is the method that reads it."""

    numbers = itertools.count(1)

    def __init__(self, server, case, way):
        super().__init__(daemon=True)
        self.server, self.case, self.way = server, case, way
        self.number = next(self.numbers)
        self.session = "reading-%d" % self.number
        self.user = "userId=r%d" % self.number
        self.connection = self.stream_id = self.failure = None
        self.text, self.seq, self.is_over = "", 0, False
        self.requests = 0

    # --- one request at a time on one connection -----------------------------
    def ask(self, method, path, body=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.server.port, timeout=60)
        self.requests += 1
        self.connection.request(
            method, "/bailian/" + path, None if body is None else
            json.dumps(body), {"Content-Type": "application/json"})
        reply = self.connection.getresponse()
        if reply.status != 200:
            raise ValueError("%s %s: %d %s" % (method, path, reply.status,
                                               reply.read(200)))
        return reply

    def leave(self):
        self.connection.close()
        self.connection = None

    def run(self):
        try:
            self.begin()
            getattr(self, self.way)()
            whole = self.polled()["content"]
            if whole != self.text or not whole:
                raise ValueError("%d characters were read of %d" % (
                    len(self.text), len(whole)))
        except (OSError, ValueError, KeyError, http.client.HTTPException) as e:
            self.failure = "%s: %r" % (self.way, e)
        finally:
            if self.connection:
                self.leave()

    def begin(self):
        reply = self.ask("POST", "api/chat/stream?sessionId=" + self.session, {
            "message": "绿茶用多少度的水泡？", "appId": self.case.shape,
            "userId": "r%d" % self.number})
        self.stream_id = json.loads(reply.read())["data"]["streamId"]

    def polled(self, query=""):
        return json.loads(self.ask(
            "GET", "api/chat/poll?sessionId=%s&%s%s" % (
                self.session, self.user, query)).read())["data"]

    # --- the ways ------------------------------------------------------------
    def poll(self, wait=""):
        while not self.is_over:
            if not wait:
                time.sleep(POLL_S)
            found = self.polled("&after=%d%s" % (self.seq, wait))
            self.text += found["delta"]
            self.seq, self.is_over = found["seq"], found["complete"]

    def long_poll(self):
        self.poll("&wait=%d" % WAIT_MS)

    def sse(self, most=None):
        """To the end, or for that many events."""
        reply = self.ask("GET", "streams/%s/events?%s&after=%d" % (
            self.stream_id, self.user, self.seq))
        for line in reply:
            if not line.startswith(b"data:"):
                continue
            event = json.loads(line[5:])
            if event["isEnd"]:
                self.is_over = True
                break
            if event.get("heartbeat"):
                continue
            self.text += event["content"]
            self.seq = int(event["id"])
            if most is not None:
                most -= 1
                if most <= 0:
                    break
        self.leave()

    def batch(self):
        """One long poll of events."""
        found = json.loads(self.ask(
            "GET", "streams/%s/events?%s&as=json&after=%d&wait=%d" % (
                self.stream_id, self.user, self.seq, WAIT_MS)).read())
        self.text += "".join(e.get("text", "") for e in found["events"]
                             if e["kind"] == "delta")
        self.seq, self.is_over = found["next"], found["complete"]

    def switch(self):
        """SSE and long polls in turn, SWITCHES times in the answer."""
        each = self.case.events // (SWITCHES + 1)
        for turn in range(SWITCHES):
            if self.is_over:
                return
            if turn % 2:
                self.batch()
            else:
                self.sse(each)
        if not self.is_over:
            self.sse()


def one_round(run, server, case, way):
    answers = [Answer(server, case, way) for _ in range(case.streams)]
    cpu, began = server.cpu_s(), time.monotonic()
    client = time.process_time()
    for answer in answers:
        answer.start()
        time.sleep(case.ramp_ms / 1e3 / case.streams)
    for answer in answers:
        answer.join(case.seconds() * 4 + 60)
    wall = time.monotonic() - began
    time.sleep(2.5)  # what the server writes later
    failures = [a.failure or "did not end" for a in answers
                if a.failure or a.is_alive()]
    events = case.streams * case.events
    used = server.cpu_s() - cpu
    run.say("reading by %s: %d answers, %d failed %s, %d requests, CPU %.2f s"
            % (way, case.streams, len(failures), failures[:1],
               sum(a.requests for a in answers), used))
    nothing = {"p50_us": 0, "p99_us": 0}
    return {"case": "reading_" + way, "server": server.name,
            "streams": case.streams, "events": events,
            "failed": len(failures), "failures": failures[:3],
            "example": failures[:1], "cpu_s": used,
            "requests": sum(a.requests for a in answers),
            "cpu_us_per_answer": used / case.streams * 1e6,
            "cpu_per_million": used / events * 1e6, "delay": nothing,
            "pss_kb_per_stream": None, "events_per_s": events / wall,
            "client_cpu_s": time.process_time() - client}


def reading(run):
    """SSE first and last; the others between."""
    if not run.module:
        return []
    case = run.plan["reading"]
    return [one_round(run, run.module, case, way)
            for way in ("sse", "poll", "long_poll", "switch", "sse")]
