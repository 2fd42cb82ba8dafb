# SPDX-License-Identifier: Apache-2.0
"""ws - a WebSocket client made of single frames, so that a test can send what
no library would, and see each frame that the server sends. It checks what RFC
6455 asks of a server: no mask, no reserved bit, text that is UTF-8."""
import base64
import hashlib
import json
import os
import re
import struct
import time

from .polling import FACTOR

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\1\2\3\4", length=None):
    """A client's frame. mask None: not masked. length: a lie about it."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Socket:
    """One WebSocket; conn is a raw.Raw."""

    def __init__(self, conn, path, headers=None, first=b""):
        self.conn = conn
        self.close_code = None
        self.close_reason = None
        self.pings = 0
        self.key = base64.b64encode(os.urandom(16))
        head = {"Host": "localhost", "Upgrade": "websocket",
                "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": self.key.decode()}
        head.update(headers or {})
        lines = ["GET %s HTTP/1.1" % path] + [
            "%s: %s" % item for item in head.items() if item[1] is not None]
        conn.send("\r\n".join(lines).encode() + b"\r\n\r\n" + first)
        self._read_head()

    def _read_head(self):
        while b"\r\n\r\n" not in self.conn.inbox:
            assert self.conn.fill(), bytes(self.conn.inbox)
        head, _, rest = bytes(self.conn.inbox).partition(b"\r\n\r\n")
        self.conn.inbox[:] = rest
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        if self.status == 101:
            accept = base64.b64encode(hashlib.sha1(self.key + GUID).digest())
            assert self.headers["sec-websocket-accept"] == accept.decode()

    # --- sending ------------------------------------------------------------
    def send(self, opcode, payload=b"", **options):
        self.conn.send(frame(opcode, payload, **options))

    def say(self, message):
        if not isinstance(message, str):
            message = json.dumps(message, ensure_ascii=False)
        self.send(TEXT, message.encode())

    def close(self, code=1000, reason=b""):
        self.send(CLOSE, struct.pack(">H", code) + reason)

    # --- reading ------------------------------------------------------------
    def _bytes(self, count, seconds):
        deadline = time.monotonic() + seconds * FACTOR
        while len(self.conn.inbox) < count:
            left = deadline - time.monotonic()
            if not self.conn.fill(max(left, 0.001) / FACTOR):
                raise EOFError(self.conn.ended)
        data = bytes(self.conn.inbox[:count])
        del self.conn.inbox[:count]
        return data

    def frame(self, seconds=30):
        """(opcode, payload) of the next frame."""
        head = self._bytes(2, seconds)
        assert head[0] & 0xf0 == 0x80, "a server's frame %r" % head
        assert not head[1] & 0x80, "masked by the server"
        size = head[1]
        if size == 126:
            size, = struct.unpack(">H", self._bytes(2, seconds))
            assert size > 125
        elif size == 127:
            size, = struct.unpack(">Q", self._bytes(8, seconds))
            assert size > 65535
        return head[0] & 15, self._bytes(size, seconds)

    def next(self, seconds=30):
        """The next message as text; None when the server closed. Pings are
        answered."""
        while True:
            opcode, payload = self.frame(seconds)
            if opcode == TEXT:
                return payload.decode()
            if opcode == PING:
                self.pings += 1
                self.send(PONG, payload)
            elif opcode == CLOSE:
                self.close_code = struct.unpack(">H", payload[:2])[0] \
                    if payload else 1005
                self.close_reason = payload[2:].decode()
                return None
            else:
                assert opcode == PONG, "opcode %d" % opcode

    def json(self, seconds=30):
        text = self.next(seconds)
        return None if text is None else json.loads(text)

    def until_closed(self, seconds=30):
        """Reads to the Close frame and the end of the connection; its code."""
        try:
            while self.close_code is None:
                self.next(seconds)
        except EOFError:
            return self.close_code
        while self.conn.fill(seconds):
            pass
        return self.close_code


class Talk(Socket):
    """One connection of the message protocol (dialects.md 2). Each message is
    checked: its members, its time. `at` is the stream's last seq."""

    MEMBERS = {"type", "sessionId", "userId", "data", "timestamp"}

    def __init__(self, conn, path, **options):
        super().__init__(conn, path, **options)
        self.beats = 0
        self.at = {}

    def send_message(self, kind, data=None, **members):
        self.say(dict({"type": kind, "data": data or {}}, **members))

    def ask(self, message, **data):
        self.send_message("CHAT_REQUEST", dict(data, message=message))

    def message(self, seconds=30):
        """The next one that is no heartbeat; None when the server closed."""
        while True:
            found = self.json(seconds)
            if found is None:
                return None
            assert self.MEMBERS <= set(found), found
            assert TIME.fullmatch(found["timestamp"]), found
            if found["type"] != "HEARTBEAT":
                break
            self.beats += 1
        data = found["data"]
        if isinstance(data, dict) and "seq" in data:
            known = self.at.get(data["messageId"], 0)
            assert data["seq"] > known, found
            self.at[data["messageId"]] = data["seq"]
        return found

    def get(self, kind, seconds=30):
        """The data of the next message, which must be of this type."""
        found = self.message(seconds)
        assert found is not None, (kind, self.close_code, self.close_reason)
        assert found["type"] == kind, found
        return found["data"]

    def greeted(self):
        connect = self.get("CONNECT")
        assert self.get("SYSTEM_MESSAGE")["message"]
        return connect

    def deltas(self, seconds=30):
        """Contents up to CHAT_STREAM_END, and its data."""
        found = []
        while True:
            message = self.message(seconds)
            assert message is not None, (found, self.close_code)
            if message["type"] == "CHAT_STREAM_END":
                return found, message["data"]
            assert message["type"] == "CHAT_STREAM_DATA", message
            found.append(message["data"]["content"])
