# SPDX-License-Identifier: Apache-2.0
"""steps - the language in which scenarios tell the emulator what to do.

A scenario is {"attempts": [{"times": 2, "steps": [...]}, {"steps": [...]}]}
or, short, {"steps": [...]}. Request number n of a scenario runs the attempt
that n falls into; the last attempt serves all that follow. A step is an
object with one verb as its key; tests/emulator/README.md lists the verbs.

When the steps run out the response is ended in the regular way, so that a
scenario only says what is different.
"""
import asyncio
import base64
import os
import socket

import answers
import frames
import prose
from response import Split

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        os.pardir, "fixtures", "bailian")
FLOOD_WRITE = 64 * 1024


class BadScenario(ValueError):
    """A scenario that cannot be run; the message says why."""


def fixture(name):
    """The bytes of a transcript of the protocol page."""
    path = os.path.join(FIXTURES, name + ".sse")
    if not os.path.exists(path):
        raise BadScenario("no fixture %r" % name)
    with open(path, "rb") as file:
        return file.read()


def check(scenario):
    """Raises BadScenario unless every step has a known verb."""
    if not isinstance(scenario, dict):
        raise BadScenario("a scenario is an object")
    unknown = set(scenario) - {"steps", "attempts", "about"}
    if unknown:
        raise BadScenario("unknown: " + ", ".join(sorted(unknown)))
    for attempt in scenario.get("attempts", [scenario]):
        _check_steps(attempt.get("steps", []))


def _check_steps(steps):
    for step in steps:
        verbs = set(step)
        if len(verbs) != 1:
            raise BadScenario("one verb a step, not %s" % sorted(verbs))
        verb = verbs.pop()
        if not hasattr(Run, "do_" + verb):
            raise BadScenario("unknown verb %r" % verb)
        if verb == "repeat":
            _check_steps(step[verb].get("steps", []))


def attempt_steps(scenario, number):
    """The steps for request `number` (from 1)."""
    attempts = scenario.get("attempts", [scenario])
    for attempt in attempts:
        number -= attempt.get("times", 1)
        if number <= 0:
            return attempt.get("steps", [])
    return attempts[-1].get("steps", [])


def raw_bytes(value):
    """A str, {"utf8"}, {"hex"} or {"base64"}, {"times"} as often."""
    if isinstance(value, str):
        return value.encode("utf-8")
    if "hex" in value:
        data = bytes.fromhex(value["hex"])
    elif "base64" in value:
        data = base64.b64decode(value["base64"])
    else:
        data = value["utf8"].encode("utf-8", "surrogatepass")
    return data * value.get("times", 1)


class Run:
    """One scenario on one response."""

    def __init__(self, server, response, mode, prompt, session, text=None):
        self.server = server
        self.response = response
        self.conn = response.conn
        self.record = response.record
        self.mode = mode
        self.prompt = prompt
        self.text = text
        self.facts = answers.Facts(prompt, session)
        self.style = frames.Style()
        self.number = 0
        self.is_over = False
        self._answer = None

    async def steps(self, steps):
        for step in steps:
            (verb, value), = step.items()
            await getattr(self, "do_" + verb)(value)
            if self.is_over:
                return

    async def all(self, steps):
        await self.steps(steps)
        if not self.is_over:
            await self.response.end()

    # --- what is written ----------------------------------------------------
    async def event(self, data, number=None, name="result", status=200):
        """One frame; data is a str or an object."""
        self.number = self.number + 1 if number is None else number
        text = data if isinstance(data, str) else frames.dumps(data)
        await self.response.body(
            frames.frame(self.number, text, name, status, self.style))
        self.record["events"] += 1

    async def events(self, found):
        for data in found:
            await self.event(data)

    @property
    def answer(self):
        if self._answer is None:
            self._answer = answers.create(self.facts, self.mode)
        return self._answer

    # --- verbs: head and bytes ----------------------------------------------
    async def do_head(self, value):
        await self.response.head(**value)

    async def do_raw(self, value):
        """Body bytes, framed like all others."""
        await self.response.body(raw_bytes(value))

    async def do_wire(self, value):
        """Bytes on the socket, outside any framing."""
        await self.response.wire(raw_bytes(value))

    async def do_split(self, value):
        self.response.split = Split(**value)

    async def do_style(self, value):
        self.style.change(value)

    async def do_sndbuf(self, value):
        """A small send buffer: what was "sent" is nearly what was taken."""
        sock = self.conn.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, value)

    async def do_mode(self, value):
        self.mode = self.mode.changed(value)

    async def do_facts(self, value):
        """Fixed ids and counts, for answers that must be byte-equal."""
        for name, fact in value.items():
            if not hasattr(self.facts, name):
                raise BadScenario("unknown fact %r" % name)
            setattr(self.facts, name, fact)

    # --- verbs: what is said ------------------------------------------------
    async def do_answer(self, value):
        """pieces, or count pieces of text, or text, or one of our own."""
        value = value or {}
        pieces = value.get("pieces")
        if pieces is None and "count" in value:
            pieces = ["第%d段。" % (i + 1) for i in range(value["count"])]
        if pieces is None:
            text = value.get("text", self.text)
            pieces = prose.pieces(
                prose.answer(self.prompt) if text is None else text)
        thinking = value.get("thinking") or []
        if thinking is True:
            thinking = prose.pieces(prose.thinking(self.prompt))
        totals = iter(value.get("totals", []))
        gap = value.get("interval", self.server.interval)
        if not self.number:
            await self.conn.wait(
                value.get("first_delay", self.server.first_delay))
            await self.events(self.answer.opening())
        await self._said(self.answer.think, thinking, totals, gap)
        await self._said(self.answer.say, pieces, totals, gap)
        reason = value.get("finish", "stop")
        if reason:
            await self.events(self.answer.finish(reason))

    async def _said(self, how, pieces, totals, gap):
        for piece in pieces:
            await self.events(how(piece, next(totals, None)))
            if gap:
                await self.conn.wait(gap)

    async def do_event(self, value):
        """{"data", "id", "name", "status", "style"}"""
        old = dict(self.style.__dict__)
        self.style.change(value.get("style", {}))
        await self.event(value.get("data", ""), value.get("id"),
                         value.get("name", "result"),
                         value.get("status", 200))
        self.style.change(old)

    async def do_error(self, value):
        """event:error with :HTTP_STATUS/, as in section 7.1."""
        await self.event({"code": value["code"],
                          "message": value.get("message", ""),
                          "request_id": self.facts.request_id},
                         name="error", status=value.get("http", 400))

    async def do_json(self, value):
        """A plain JSON response: {"status", "body", "headers"}."""
        body = value["body"]
        if isinstance(body, dict):
            body = dict(body)
            if "code" in body:
                body.setdefault("request_id", self.facts.request_id)
        await self.response.plain(
            value.get("status", 200), frames.dumps(body).encode("utf-8"),
            headers=value.get("headers"))

    async def do_plain(self, value):
        """Any response of known length: {"status", "type", "body"}."""
        await self.response.plain(
            value.get("status", 200), raw_bytes(value.get("body", "")),
            value.get("type", "text/html"), value.get("headers"))

    async def do_fixture(self, value):
        """A transcript: a name or {"name", "from", "to"} (events from 0)."""
        if isinstance(value, str):
            value = {"name": value}
        data = fixture(value["name"])
        if "from" in value or "to" in value:
            events = [e + b"\n\n" for e in data.split(b"\n\n") if e]
            data = b"".join(events[value.get("from", 0):value.get("to")])
        await self.response.body(data)
        self.record["events"] += data.count(b"\n\n")

    async def do_big(self, value):
        """One event whose lines, each with its end, are `bytes` bytes."""
        facts = self.facts
        empty = frames.dumps({
            "output": {"session_id": facts.session_id,
                       "finish_reason": "null", "text": "@"},
            "usage": facts.models(), "request_id": facts.request_id})
        self.number += 1
        head, tail = frames.frame(self.number, empty).split(b"@")
        # The blank line behind it ends the event and is none of its own.
        fill = value["bytes"] - len(head) - len(tail) + 1
        if fill < 0:
            raise BadScenario("an event cannot be that small")
        await self.response.body(head)
        await self._fill(fill)
        if value.get("ends", True):
            await self.response.body(tail)
            self.record["events"] += 1

    async def _fill(self, count):
        block = b"a" * FLOOD_WRITE
        while count > 0:
            part = block[:min(count, FLOOD_WRITE)]
            await self.response.body(part)
            count -= len(part)

    async def do_flood(self, value):
        """Small events, {"bytes"} in all, as quickly as they are taken."""
        text = "流" * value.get("characters", 40)
        framed = bytearray()
        sent = 0
        while sent < value["bytes"]:
            framed.clear()
            while len(framed) < FLOOD_WRITE:
                self.number += 1
                for data in self.answer.say(text, self.number):
                    framed += frames.frame(self.number, frames.dumps(data),
                                           style=self.style)
                self.record["events"] += 1
            await self.response.body(bytes(framed))
            sent += len(framed)

    # --- verbs: time --------------------------------------------------------
    async def do_wait(self, value):
        await self.conn.wait(value)

    async def do_barrier(self, value):
        """Goes on after POST /_emulator/release/<name>."""
        barrier = self.server.barrier(value)
        barrier.waiting += 1
        try:
            await self.conn.wait_for(barrier.opened)
        finally:
            barrier.waiting -= 1

    async def do_stall(self, _value):
        await self.conn.stall()

    async def do_repeat(self, value):
        """{"times": n or -1 for ever, "steps", "interval"}"""
        left = value.get("times", -1)
        while left != 0 and not self.is_over:
            await self.steps(value["steps"])
            await self.conn.wait(value.get("interval", 0))
            left -= 1

    # --- verbs: ends --------------------------------------------------------
    async def do_end(self, _value):
        await self.response.end()

    async def do_close(self, _value):
        """FIN, whatever the framing still owes."""
        self.is_over = True
        self.conn.close()

    async def do_reset(self, value):
        """RST; {"flush": true} lets the peer have what was written first."""
        if not isinstance(value, dict) or value.get("flush", True):
            while self.conn.bytes_unsent and not self.conn.is_gone:
                await asyncio.sleep(0.001)
            await self.conn.wait(value.get("after", 0.02)
                                 if isinstance(value, dict) else 0.02)
        self.is_over = True
        self.conn.reset()

    async def do_close_on_reuse(self, value):
        """Ends well; the connection dies when the next request comes."""
        self.conn.on_next_request = \
            self.conn.reset if value == "reset" else self.conn.close
        await self.response.end()
