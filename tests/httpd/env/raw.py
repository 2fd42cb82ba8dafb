# SPDX-License-Identifier: Apache-2.0
"""raw - a client connection that takes nothing on trust.

It reads heads and bodies byte by byte as RFC 9112 says, fails on any framing
that is not exact, and knows how a response ended: "clean" (last chunk or all
of the length), "close" (by the connection, where that is the framing), "cut"
or "reset".
"""
import ctypes
import json
import select
import socket
import ssl
import struct
import time

from .polling import FACTOR

NO_BODY = (204, 304)
SO_ATTACH_FILTER = 26           # <asm-generic/socket.h>
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)   # BPF_RET: keep 0 bytes


class Silence(AssertionError):
    """Nothing came in the time that the test gave."""


class Raw:
    """A socket with an inbox and a deadline for each read."""

    def __init__(self, port, tls=False, seconds=30, rcvbuf=None):
        self.seconds = seconds * FACTOR
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(self.seconds)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["http/1.1"])
            self.sock = context.wrap_socket(self.sock)
        self.inbox = bytearray()
        self.ended = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- writing ------------------------------------------------------------
    def send(self, data):
        self.sock.sendall(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def vanish(self):
        """From now on nothing that is sent to this socket arrives: no byte,
        no acknowledgement goes back, and the other side hears of no end."""
        nothing = ctypes.create_string_buffer(DROP_ALL)
        self.sock.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER,
            struct.pack("HP", len(DROP_ALL) // 8, ctypes.addressof(nothing)))

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    # --- reading ------------------------------------------------------------
    def fill(self, seconds=None):
        """Reads once; False at the end of the connection."""
        if self.ended:
            return False
        limit = self.seconds if seconds is None else seconds * FACTOR
        self.sock.settimeout(max(limit, 0.001))
        try:
            data = self.sock.recv(256 * 1024)
        except (socket.timeout, ssl.SSLWantReadError):
            raise Silence("nothing came for %.1f s" % limit) from None
        except (ConnectionResetError, BrokenPipeError):
            self.ended = "reset"
            return False
        except ssl.SSLEOFError:
            data = b""
        if not data:
            self.ended = "fin"
            return False
        self.inbox += data
        return True

    def is_quiet(self, seconds):
        """Did nothing at all come for that long?"""
        if self.inbox:
            return False
        readable, _, _ = select.select([self.sock], [], [], seconds)
        return not readable

    def take(self, count):
        found = bytes(self.inbox[:count])
        del self.inbox[:count]
        return found

    def line(self, mark=b"\r\n", seconds=None):
        """Up to mark, without it; None at the end of the connection."""
        while True:
            at = self.inbox.find(mark)
            if at >= 0:
                return self.take(at + len(mark))[:-len(mark)]
            if not self.fill(seconds):
                return None

    def head(self, seconds=None):
        """The head of the next final response, or None."""
        while True:
            block = self.line(b"\r\n\r\n", seconds)
            if block is None:
                return None
            head = Head(block)
            if head.status >= 200 or head.status == 101:
                return head

    def reply(self, seconds=None, method="GET"):
        """A whole response."""
        head = self.head(seconds)
        assert head is not None, "no response: %s, %r" \
            % (self.ended, bytes(self.inbox[:200]))
        return Reply(head, Body(self, head, method).rest(seconds))

    def ask(self, method, path, body=None, headers=None, **options):
        self.send(request(method, path, body, headers, **options))
        return self.reply(method=method)


class Head:
    def __init__(self, block):
        lines = block.decode("latin-1").split("\r\n")
        self.version, status, self.reason = (lines[0] + " ").split(" ", 2)
        assert self.version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        self.status = int(status)
        self.headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and name == name.strip() and name, line
            self.headers.append((name.lower(), value.strip()))

    def header(self, name, default=None):
        """The one value; twice the same header is an error."""
        found = [v for n, v in self.headers if n == name.lower()]
        assert len(found) < 2, "%s stands %d times" % (name, len(found))
        return found[0] if found else default


class Body:
    """The body of one response, as it comes."""

    def __init__(self, conn, head, method="GET"):
        self.conn = conn
        self.ended = None
        self.bytes = 0
        self.chunks = 0
        length = head.header("content-length")
        coding = head.header("transfer-encoding")
        assert not (length and coding), "two framings"
        self.kind, self.left = "close", None
        if method == "HEAD" or head.status in NO_BODY or head.status < 200:
            self.kind, self.ended = "none", "clean"
        elif coding:
            assert coding == "chunked", coding
            self.kind = "chunked"
        elif length is not None:
            self.kind, self.left = "length", int(length)
            self.ended = "clean" if self.left == 0 else None

    def read(self, seconds=None):
        """Some bytes, or b"" at the end; `ended` tells which."""
        if self.ended:
            return b""
        data = self._chunk(seconds) if self.kind == "chunked" \
            else self._plain(seconds)
        self.bytes += len(data)
        return data

    def _plain(self, seconds):
        if not self.conn.inbox and not self.conn.fill(seconds):
            whole = self.kind == "close" and self.conn.ended == "fin"
            self.ended = "close" if whole else self._broken()
            return b""
        data = self.conn.take(len(self.conn.inbox) if self.left is None
                              else self.left)
        if self.left is not None:
            self.left -= len(data)
            if self.left == 0:
                self.ended = "clean"
        return data

    def _chunk(self, seconds):
        """What is there of the current chunk."""
        if not self.left:
            size = self.conn.line(seconds=seconds)
            if size is None:
                self.ended = self._broken()
                return b""
            self.left = int(size, 16)
            self.chunks += 1
            if self.left == 0:
                trailer = self.conn.line(seconds=seconds)
                assert trailer == b"", "trailer %r" % trailer
                self.ended = "clean"
                return b""
        if not self.conn.inbox and not self.conn.fill(seconds):
            self.ended = self._broken()
            return b""
        data = self.conn.take(self.left)
        self.left -= len(data)
        if self.left == 0:
            while len(self.conn.inbox) < 2:
                if not self.conn.fill(seconds):
                    self.ended = self._broken()
                    return data
            assert self.conn.take(2) == b"\r\n", "chunk without its end"
        return data

    def _broken(self):
        return "reset" if self.conn.ended == "reset" else "cut"

    def rest(self, seconds=None):
        found = bytearray()
        while not self.ended:
            found += self.read(seconds)
        self.data = bytes(found)
        return self


class Reply:
    """A response that was read to its end."""

    def __init__(self, head, body):
        self.status = head.status
        self.head = head
        self.header = head.header
        self.body = body.data
        self.ended = body.ended

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    @property
    def code(self):
        """The wire code of a problem document."""
        assert self.header("content-type", "").startswith(
            "application/problem+json"), (self.status, self.body[:300])
        return self.json().get("code")


def request(method, path, body=None, headers=None, version="HTTP/1.1",
            close=False):
    """The bytes of a request; a dict or list becomes JSON."""
    fields = {"Host": "localhost"}
    if body is not None:
        if isinstance(body, (dict, list)):
            body = json.dumps(body, ensure_ascii=False)
        if isinstance(body, str):
            body = body.encode("utf-8")
        fields["Content-Type"] = "application/json"
        fields["Content-Length"] = str(len(body))
    if close:
        fields["Connection"] = "close"
    for name, value in (headers or {}).items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value
    lines = ["%s %s %s" % (method, path, version)]
    lines += ["%s: %s" % item for item in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + (body or b"")


def now():
    return time.monotonic()
