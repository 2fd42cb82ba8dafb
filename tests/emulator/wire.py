# SPDX-License-Identifier: Apache-2.0
"""wire - one HTTP/1.x connection with every byte under control.

A Connection reads requests and writes whatever it is told, well formed or
not. It notes when and how the peer went away, to the millisecond, because
tests assert it.

OWNERSHIP  a Connection belongs to the event loop that accepted it.
ERRORS     PeerGone when the peer closed or reset; BadRequest when what came
           is not HTTP.
"""
import asyncio
import socket
import struct
import time

HEAD_LIMIT = 256 * 1024
BODY_LIMIT = 64 * 1024 * 1024
WRITE_HIGH_WATER = 64 * 1024
YIELD_BYTES = 16 * 1024


class PeerGone(Exception):
    """The peer closed or reset the connection."""


class BadRequest(Exception):
    """What came is not an HTTP request."""


class Request:
    """One parsed request; header names are lower case."""

    def __init__(self, method, target, version, headers, body):
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.body = body
        path, _, query = target.partition("?")
        self.path = path
        self.query = dict(
            pair.partition("=")[::2] for pair in query.split("&") if pair)

    def header(self, name, default=""):
        return self.headers.get(name.lower(), default)

    @property
    def keeps_alive(self):
        connection = self.header("connection").lower()
        if self.version == "HTTP/1.0":
            return "keep-alive" in connection
        return "close" not in connection


class Connection(asyncio.Protocol):
    """A socket with an inbox, flow control and a note of how it ended."""

    def __init__(self, server):
        self.server = server
        self.number = 0
        self.transport = None
        self.opened_at = time.monotonic()
        self.closed_at = None
        self.closed_by = None
        self.bytes_in = 0
        self.bytes_out = 0
        self.on_next_request = None
        self.is_tls = False
        self._inbox = bytearray()
        self._input = asyncio.Event()
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # --- called by the event loop -------------------------------------------
    def connection_made(self, transport):
        self.transport = transport
        self.is_tls = transport.get_extra_info("ssl_object") is not None
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self.server.opened(self)

    def data_received(self, data):
        self.bytes_in += len(data)
        self._inbox += data
        self._input.set()

    def eof_received(self):
        self._note_end("peer-fin")
        # Keep the write side: a scenario decides when it closes. TLS cannot.
        return not self.is_tls

    def connection_lost(self, exc):
        self._note_end("peer-reset" if exc else "peer-fin")
        self.server.closed(self)

    def pause_writing(self):
        self._writable.clear()

    def resume_writing(self):
        self._writable.set()

    def _note_end(self, how):
        if self.closed_by is None:
            self.closed_by = how
            self.closed_at = time.monotonic()
        self._gone.set()
        self._input.set()
        self._writable.set()

    # --- what scenarios use -------------------------------------------------
    @property
    def is_gone(self):
        return self._gone.is_set()

    @property
    def bytes_unsent(self):
        return 0 if self.transport is None \
            else self.transport.get_write_buffer_size()

    async def send(self, data):
        """Hands data to the kernel as one write where it takes it whole."""
        if self.is_gone:
            raise PeerGone
        self.bytes_out += len(data)
        self.transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()
        elif len(data) >= YIELD_BYTES:
            # A reader that keeps up must not keep the loop to itself: the
            # news that it has gone would never arrive.
            await asyncio.sleep(0)
        if self.is_gone:
            raise PeerGone

    async def wait(self, seconds):
        """Sleeps, but not longer than the peer stays."""
        if seconds <= 0:
            await asyncio.sleep(0)
            if self.is_gone:
                raise PeerGone
            return
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except asyncio.TimeoutError:
            return
        raise PeerGone

    async def wait_for(self, event):
        """Waits for an asyncio.Event, but not longer than the peer stays."""
        waits = [asyncio.ensure_future(event.wait()),
                 asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not event.is_set():
            raise PeerGone

    async def stall(self):
        """Says nothing until the peer has had enough."""
        await self._gone.wait()
        raise PeerGone

    def close(self):
        """FIN after everything written has been sent."""
        self._note_end("emulator-close")
        self.transport.close()

    def reset(self):
        """RST: what the kernel has not sent is thrown away."""
        self._note_end("emulator-reset")
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        self.transport.abort()

    # --- reading requests ---------------------------------------------------
    async def read_request(self):
        """The next request, or None when the peer ended between two."""
        head = await self._until(b"\r\n\r\n", HEAD_LIMIT)
        if head is None:
            return None
        if self.on_next_request:
            self.on_next_request()
            raise PeerGone
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest("request line")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("header line")
            key = name.strip().lower()
            value = value.strip()
            headers[key] = headers[key] + ", " + value \
                if key in headers else value
        if headers.get("expect", "").lower() == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self._read_body(headers)
        return Request(words[0], words[1], words[2], headers, body)

    async def _read_body(self, headers):
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._read_chunked()
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            raise BadRequest("content-length")
        return await self._exactly(int(length))

    async def _read_chunked(self):
        body = bytearray()
        while True:
            line = await self._until(b"\r\n", 1024)
            if line is None:
                raise PeerGone
            size = int(line.split(b";")[0], 16)
            data = await self._exactly(size + 2)
            if size == 0:
                return bytes(body)
            body += data[:-2]
            if len(body) > BODY_LIMIT:
                raise BadRequest("body")

    async def _until(self, mark, limit):
        while True:
            at = self._inbox.find(mark)
            if at >= 0:
                found = bytes(self._inbox[:at])
                del self._inbox[:at + len(mark)]
                return found
            if len(self._inbox) > limit:
                raise BadRequest("too long")
            if not await self._more():
                if self._inbox:
                    raise PeerGone
                return None

    async def _exactly(self, count):
        while len(self._inbox) < count:
            if not await self._more():
                raise PeerGone
        found = bytes(self._inbox[:count])
        del self._inbox[:count]
        return found

    async def _more(self):
        if self.is_gone:
            return False
        self._input.clear()
        await self._input.wait()
        return not self.is_gone
