# SPDX-License-Identifier: Apache-2.0
"""response - one HTTP response, written by the book or against it.

Head, framing, content coding and the cutting of writes; what is said inside
is the business of steps.py. Every byte goes through Connection.send().
"""
import time
import uuid
import zlib

SSE_TYPE = "text/event-stream;charset=UTF-8"
JSON_TYPE = "application/json"

REASONS = {200: "OK", 204: "No Content", 301: "Moved Permanently",
           302: "Found", 307: "Temporary Redirect", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}


class Split:
    """How body bytes are cut into writes.

    every  bytes a piece, counted from each write on
    at     absolute offsets in the body
    gap    seconds between two pieces
    chunks each piece its own HTTP chunk; otherwise the bytes on the wire
           (chunk headers included) are cut
    """

    def __init__(self, every=0, at=(), gap=0.0, chunks=False):
        self.every = every
        self.at = sorted(at)
        self.gap = gap
        self.chunks = chunks

    @property
    def is_active(self):
        return bool(self.every or self.at)

    def cut(self, data, offset):
        marks = set(a - offset for a in self.at if 0 < a - offset < len(data))
        if self.every:
            marks.update(range(self.every, len(data), self.every))
        edges = [0] + sorted(marks) + [len(data)]
        return [data[a:b] for a, b in zip(edges, edges[1:]) if a < b]


class Response:
    """framing: chunked, close (ends with the connection), a length, none."""

    def __init__(self, conn, request, record):
        self.conn = conn
        self.request = request
        self.record = record
        self.framing = "chunked"
        self.split = Split()
        self.is_head_sent = False
        self.is_ended = False
        self.body_bytes = 0
        self._compressor = None

    # --- head ---------------------------------------------------------------
    def headers(self, content_type, length=None):
        """The header set of the protocol page, section 4.2, in its order."""
        now_ms = int(time.time() * 1000)
        cost_ms = max(1, int((time.monotonic() - self.record["at"]) * 1000))
        found = {"content-type": content_type}
        if length is not None:
            found["content-length"] = str(length)
        elif self.framing == "chunked":
            found["transfer-encoding"] = "chunked"
        found.update({
            "server": "istio-envoy",
            "vary": "Origin,Access-Control-Request-Method,"
                    "Access-Control-Request-Headers",
            "x-request-id": str(uuid.uuid4()),
            "x-dashscope-call-gateway": "true",
            "x-dashscope-timeout": "180",
            "x-dashscope-finished":
                "false" if content_type == SSE_TYPE else "true",
            "req-arrive-time": str(now_ms - cost_ms),
            "resp-start-time": str(now_ms),
            "req-cost-time": str(cost_ms),
            "x-envoy-upstream-service-time": str(cost_ms)})
        return found

    async def head(self, status=200, reason=None, headers=None,
                   content_type=SSE_TYPE, length=None, framing=None,
                   version="HTTP/1.1", coding=None):
        """headers: overrides; None removes, a list repeats the header."""
        if framing is not None:
            self.framing = framing
        if length is not None:
            self.framing = "length"
        fields = self.headers(content_type, length)
        if coding:
            fields["content-encoding"] = coding
            self._compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
        for name, value in (headers or {}).items():
            fields[name.lower()] = value
        if not self.request.keeps_alive:
            fields.setdefault("connection", "close")
        lines = ["%s %d %s" % (version, status, REASONS.get(status, "Status")
                               if reason is None else reason)]
        for name, value in fields.items():
            values = value if isinstance(value, list) else [value]
            lines += ["%s: %s" % (name, v) for v in values if v is not None]
        self.is_head_sent = True
        self.record["status"] = status
        await self.wire(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def plain(self, status, body, content_type=JSON_TYPE, headers=None):
        """A whole response of known length."""
        await self.head(status, headers=headers, content_type=content_type,
                        length=len(body))
        await self.wire(body)
        self.body_bytes += len(body)
        self.is_ended = True

    # --- body ---------------------------------------------------------------
    async def body(self, data):
        """Body bytes: coded, framed and cut as told."""
        if not self.is_head_sent:
            await self.head()
        if self._compressor:
            data = self._compressor.compress(data) \
                + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        offset = self.body_bytes
        self.body_bytes += len(data)
        if not self.split.is_active:
            await self.wire(self.framed(data))
        elif self.split.chunks or self.split.at:
            await self._pieces([self.framed(piece) for piece
                                in self.split.cut(data, offset)]
                               if self.split.chunks else
                               self._cut_payload(data, offset))
        else:
            await self._pieces(self.split.cut(self.framed(data), 0))

    def _cut_payload(self, data, offset):
        """One chunk, its payload cut at body offsets."""
        pieces = self.split.cut(data, offset)
        if self.framing == "chunked":
            pieces[0] = b"%x\r\n" % len(data) + pieces[0]
            pieces[-1] += b"\r\n"
        return pieces

    async def _pieces(self, pieces):
        for piece in pieces:
            await self.wire(piece)
            await self.conn.wait(self.split.gap)

    def framed(self, data):
        if self.framing != "chunked" or not data:
            return data
        return b"%x\r\n%b\r\n" % (len(data), data)

    async def wire(self, data):
        """Bytes on the socket as they are."""
        await self.conn.send(data)
        self.record["sent"] = self.record["sent"] + len(data)

    async def end(self):
        """The regular end of the body."""
        if self.is_ended:
            return
        if not self.is_head_sent:
            await self.head()
        if self._compressor:
            tail = self._compressor.flush()
            await self.wire(self.framed(tail))
        if self.framing == "chunked":
            await self.wire(b"0\r\n\r\n")
        self.is_ended = True

    @property
    def can_keep_alive(self):
        return self.is_ended and self.framing in ("chunked", "length") \
            and self.request.keeps_alive
