# SPDX-License-Identifier: Apache-2.0
"""Checks that the client of WebSockets sees every fault it claims to see.

The server here takes the fault from the path: GET /<fault>. It reads masked
frames only, and answers a question only when its ping came back.
"""
import json
import signal
import socket
import struct
import subprocess
import threading
import time

FILLER = "绿茶适合用八十"
EVENTS = 8
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of the client's one key

# fault -> the failure that the client must name (None: it passes)
ANSWERS = {
    "none": None, "crumbs": None, "heartbeat": None, "gap": "gap",
    "repeat": "repeat", "mixed": "mixed", "garble": "stamp",
    "filler": "filler", "early": "early_end", "error": "error",
    "failed": "error", "cut": "cut", "close": "cut", "fragment": "chunk",
    "status": "status", "accept": "head", "silent": "timeout",
}


def frame(text, first=0x81):
    data = text if isinstance(text, bytes) else text.encode()
    head = bytes([first, len(data)]) if len(data) < 126 else (
        bytes([first, 126]) + struct.pack(">H", len(data)))
    return head + data


def message(kind, **data):
    return frame(json.dumps({"type": kind, "data": data}, ensure_ascii=False,
                            separators=(",", ":")))


class Gone(Exception):
    """The client is gone, or sent what no client may send."""


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise Gone("closed")
        data += more
    return data


def read_frame(connection):
    """(opcode, payload) of a frame of the client."""
    first, size = read_exactly(connection, 2)
    if not size & 128:
        raise Gone("not masked")
    size &= 127
    if size == 126:
        size = struct.unpack(">H", read_exactly(connection, 2))[0]
    mask = read_exactly(connection, 4)
    data = read_exactly(connection, size)
    return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def event(stream, seq, filler=FILLER):
    text = "%d.%d:%d %s" % (stream, seq, time.monotonic_ns(), filler)
    return message("CHAT_STREAM_DATA", content=text, delta=text, seq=seq)


def script(fault, stream):
    """The frames of an answer, with the fault in the middle."""
    middle = {
        "gap": event(stream, 6), "repeat": event(stream, 4),
        "mixed": event(stream + 1, 5), "filler": event(stream, 5, FILLER[:-1]),
        "garble": message("CHAT_STREAM_DATA", delta="x"),
        "error": message("ERROR", message="no", code="upstream"),
        "heartbeat": message("HEARTBEAT") + event(stream, 5),
        "early": message("CHAT_STREAM_END", finishReason="completed"),
        "close": frame(struct.pack(">H", 1011), 0x88),
        "fragment": frame('{"type":', 0x01),
    }.get(fault, event(stream, 5))
    out = [event(stream, n) for n in range(1, 5)] + [middle]
    if fault in ("cut", "silent"):
        return out
    out += [event(stream, n) for n in range(6, EVENTS + 1)]
    reason = "error" if fault == "failed" else "completed"
    return out + [message("CHAT_STREAM_END", finishReason=reason)]


class Server:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock, self.streams = threading.Lock(), 0
        self.pongs = self.closes = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.guarded, args=(connection,),
                             daemon=True).start()

    def guarded(self, connection):
        with connection:
            try:
                self.talk(connection)
            except (OSError, Gone):
                pass

    def shake_hands(self, connection):
        """The fault that the path names."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read_exactly(connection, 1)
        fault = head.split()[1].decode().strip("/")
        if fault == "status":
            connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            raise Gone(fault)
        accept = "wrong" if fault == "accept" else ACCEPT
        connection.sendall((
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" %
            accept).encode())
        return fault

    def talk(self, connection):
        fault = self.shake_hands(connection)
        connection.sendall(message("CONNECT") + frame(b"ping!", 0x89))
        if read_frame(connection) != (10, b"ping!"):
            raise Gone("no pong")
        with self.lock:
            self.pongs += 1
            self.streams += 1
            stream = self.streams * 10
        connection.sendall(message("SYSTEM_MESSAGE", message="hello"))
        if fault == "drop":
            time.sleep(0.2)
            return
        opcode, _ = read_frame(connection)
        if opcode == 8:
            with self.lock:
                self.closes += 1
            return
        for part in script(fault, stream):
            step = 1 if fault == "crumbs" else len(part)
            for at in range(0, len(part), step):
                connection.sendall(part[at:at + step])
        if fault != "cut":
            read_frame(connection)

    def stop(self):
        self.listener.close()


def begin(program, port, fault, body):
    return subprocess.Popen(
        [program, "--port", str(port), "--path", "/" + fault, "--body", body,
         "--streams", "2", "--events", str(EVENTS), "--text-bytes",
         str(len(FILLER.encode())), "--idle-ms", "1000", "--limit-ms",
         "10000", "--tick-ms", "20"], stdout=subprocess.PIPE, text=True)


def finish(client):
    report = json.loads(client.communicate(timeout=20)[0].splitlines()[-1])
    if (client.returncode != 0) != (report["failed_count"] > 0):
        report["failed"]["exit_status"] = client.returncode
    return report


def end_when_open(client):
    for line in client.stdout:
        if json.loads(line).get("live") == 2:
            client.send_signal(signal.SIGTERM)
            break
    return finish(client)


def check_sockets(check, program):
    server = Server()
    question = '{"type":"CHAT_REQUEST","data":{"message":"%n"}}'
    for fault, failure in ANSWERS.items():
        report = finish(begin(program, server.port, fault, question))
        check.expect("socket %s" % fault, report, failure)
    before = server.closes
    report = end_when_open(begin(program, server.port, "none", ""))
    check.expect("idle sockets", report, None)
    report = finish(begin(program, server.port, "drop", ""))
    check.expect("idle sockets that are dropped", report, "cut")
    deadline = time.monotonic() + 10
    while server.closes < before + 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    if server.closes != before + 2:
        check.bad += 1
        print("not ok: idle sockets say goodbye: %d of 2 did" % (
            server.closes - before))
    server.stop()
