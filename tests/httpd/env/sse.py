# SPDX-License-Identifier: Apache-2.0
"""sse - a strict reader of event streams, over a raw connection.

Stricter than a browser: LF only, one space after the colon, no unknown
field, valid UTF-8 in every event, nothing left over at the end.
"""
import functools
import json

from .polling import FACTOR
from .raw import Body, Reply, Silence, now

FIELDS = ("id", "event", "data", "retry")
CHAT_FIELDS = {"id", "conversionId", "conversionItemId", "content", "isEnd"}


class Event:
    """One event with the moment at which its last byte came."""

    def __init__(self, block, at):
        self.raw = block
        self.at = at
        self.id = self.event = self.retry = None
        self.comments = []
        data = []
        for line in block.decode("utf-8").split("\n"):
            assert "\r" not in line and "\0" not in line, repr(line)
            name, colon, value = line.partition(":")
            assert colon, "a line without a colon: %r" % line
            if name == "":
                self.comments.append(value.lstrip(" "))
                continue
            assert name in FIELDS, "unknown field: %r" % line
            assert value.startswith(" ") or value == "", repr(line)
            if name == "data":
                data.append(value[1:])
            else:
                setattr(self, name, value[1:])
        self.data = "\n".join(data) if data else None

    @property
    def seq(self):
        """The number behind the stream's id, or None."""
        if self.id is None:
            return None
        return int(self.id.rsplit(":", 1)[1])

    @functools.cached_property
    def json(self):
        return json.loads(self.data)

    def field(self, name, default=None):
        return self.json.get(name, default)

    # --- the chat dialect ---------------------------------------------------
    @property
    def content(self):
        return self.field("content", "")

    @property
    def is_end(self):
        return self.field("isEnd") is True

    @property
    def is_heartbeat(self):
        """A heartbeat has no id line: it is no event of the journal."""
        return self.id is None

    @property
    def says_something(self):
        """Neither a heartbeat nor the empty first event."""
        return bool(self.content) or self.is_end \
            or not set(self.json) <= CHAT_FIELDS

    def __repr__(self):
        return "<event %s %r>" % (self.id, self.data)


class Stream:
    """A response that is read as an event stream, or as a whole reply."""

    def __init__(self, conn, seconds=None):
        self.conn = conn
        self.asked_at = now()
        self.events = []
        self.comments = []
        self.raw = bytearray()
        self.reply = None
        self._pending = bytearray()
        self.head = conn.head(seconds)
        assert self.head is not None, "no response: %s" % conn.ended
        self.headed_at = now()
        self.status = self.head.status
        self.header = self.head.header
        self._body = Body(conn, self.head)
        if not self.header("content-type", "").startswith("text/event-stream"):
            self.reply = Reply(self.head, self._body.rest(seconds))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- reading ------------------------------------------------------------
    def next(self, seconds=None):
        """The next event with data, or None at the end of the body."""
        assert self.reply is None, (self.status, self.reply.body[:300])
        if seconds is None:
            seconds = self.conn.seconds / FACTOR
        until = now() + seconds * FACTOR
        while True:
            block = self._block(until)
            if block is None:
                return None
            event = self._event(block)
            if event.data is not None:
                return event

    def _event(self, block):
        event = Event(block, now())
        self.comments += [(event.at, text) for text in event.comments]
        if event.data is not None:
            self.events.append(event)
        return event

    def _block(self, until):
        while True:
            at = self._pending.find(b"\n\n")
            if at >= 0:
                block = bytes(self._pending[:at])
                del self._pending[:at + 2]
                return block
            if self._body.ended:
                return None
            data = self._body.read((until - now()) / FACTOR)
            self.raw += data
            self._pending += data
            if self.ended == "clean":
                assert b"\n\n" in self._pending or not self._pending, \
                    "an event without its end: %r" % bytes(self._pending)

    def next_content(self, seconds=None):
        """The next event that says something, or None."""
        while True:
            event = self.next(seconds)
            if event is None or event.says_something:
                return event

    def read(self, stop_after=None, seconds=None):
        """To the end, or until so many events have said something."""
        count = 0
        while stop_after is None or count < stop_after:
            event = self.next(seconds)
            if event is None:
                break
            count += event.says_something
        return self

    def read_comments(self, count):
        """Until there are so many of them."""
        until = now() + self.conn.seconds
        while len(self.comments) < count:
            block = self._block(until)
            assert block is not None, "%d comments and the end" \
                % len(self.comments)
            self._event(block)
        return self

    def read_for(self, seconds):
        """What comes in that time."""
        until = now() + seconds * FACTOR
        while now() < until:
            try:
                if self.next((until - now()) / FACTOR) is None:
                    break
            except Silence:
                break
        return self

    def close(self):
        self.conn.close()

    def reset(self):
        self.conn.reset()

    # --- what came ----------------------------------------------------------
    @property
    def ended(self):
        """clean, close, cut, reset; None while it goes on."""
        return self._body.ended

    @property
    def stream_id(self):
        return self.header("x-bailian-stream")

    @property
    def code(self):
        """Wire code of a refusal, or of the error that ended the stream."""
        if self.reply is not None:
            return self.reply.code
        return self.events[-1].field("code") if self.events else None

    @property
    def deltas(self):
        return [e for e in self.events if not e.is_end and e.content]

    @property
    def heartbeats(self):
        return [e for e in self.events if e.is_heartbeat]

    @property
    def text(self):
        """What a client shows: deltas, and what replaced all before."""
        found = ""
        for event in self.events:
            if not event.is_end:
                found = event.field("replace", found + event.content)
        return found

    @property
    def seqs(self):
        return [e.seq for e in self.events if e.id is not None]

    @property
    def reasoning(self):
        return "".join(e.field("reasoning", "") for e in self.events)

    @property
    def end(self):
        """The one last event; None when there is none."""
        ends = [e for e in self.events if e.is_end]
        assert len(ends) < 2, ends
        assert not ends or ends[0] is self.events[-1], "events after the end"
        return ends[0] if ends else None

    @property
    def is_completed(self):
        """Ended well, with a text that adds up."""
        end = self.end
        return end is not None and not end.field("error") \
            and end.content == self.text and self.ended in ("clean", "close")

    def __repr__(self):
        return "<stream %s %s ended %s, %d events, last %r>" % (
            self.stream_id, self.status, self.ended, len(self.events),
            self.events[-1] if self.events else None)
