# SPDX-License-Identifier: Apache-2.0
"""Checks that the load client sees every fault it claims to see.

The bailian dialect is checked against bench_upstream, whose shapes can carry a
fault; the chat dialect, resume and replay against a small scripted server here;
WebSockets against that of selftest_ws.py.
"""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True

import selftest_ws  # noqa: E402

FILLER = "绿茶适合用八十"  # 21 bytes: the first characters of shape.c
FILLER_BYTES = len(FILLER.encode())

# fault of the shape -> the failure that the client must name (None: it passes)
BAILIAN = {
    "gap": "gap", "repeat": "repeat", "mixed": "mixed", "garble": "stamp",
    "filler": "filler", "noend": "no_end", "early": "early_end",
    "after": "after_end", "cut": "cut", "chunk": "chunk", "error": "error",
    "status": "status", "silent": "timeout", "crumbs": None,
}

# fault of the chat server below -> failure
CHAT = {
    "none": None, "gap": "gap", "repeat": "repeat", "oldid": "id",
    "otherid": "id", "noid": "id", "whole": "whole", "error": "error",
    "noend": "no_end", "cut": "cut", "heartbeat": None,
}

# fault of a resumed answer or of a replay -> failure
RESUME = {
    "none": None, "again": "repeat", "skip": "gap", "replaydiffers": "replay",
    "gone": "status", "sendback": None,
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Chat(BaseHTTPRequestHandler):
    """POST /<fault>/stream answers; GET /<fault>/streams/<id>/events resumes."""

    protocol_version = "HTTP/1.1"
    events = 8
    answers = {}

    def log_message(self, *args):
        pass

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, stream, seq, content, end=False, **more):
        body = {"id": str(seq), "conversionId": "c", "conversionItemId": "i",
                "content": content, "isEnd": end, **more}
        return "id: %s:%d\ndata: %s\n\n" % (
            stream, seq, json.dumps(body, ensure_ascii=False,
                                    separators=(",", ":")))

    def head(self, stream):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-Bailian-Stream", stream)
        self.end_headers()

    def script(self, stream, fault):
        """The events of an answer, one text each."""
        out, whole = [], ""
        number = int(stream, 16)
        for seq in range(1, self.events + 1):
            text = "%d.%d:%d %s" % (number, seq, time.monotonic_ns(), FILLER)
            event = self.event(stream, seq, text)
            middle = seq == 5
            if middle and fault == "gap":
                text = text.replace(".5:", ".6:")
                event = self.event(stream, seq, text)
            if middle and fault == "oldid":
                event = event.replace("id: %s:5" % stream, "id: %s:3" % stream)
            if middle and fault == "otherid":
                event = event.replace("id: ", "id: f")
            if middle and fault == "noid":
                event = event[event.index("\n") + 1:]
            if middle and fault == "error":
                event = self.event(stream, seq, "", True, error="upstream")
            if middle and fault == "heartbeat":
                event = ": still here\n\n" + self.event(stream, 0, "") + event
            out.append(event)
            if middle and fault == "repeat":
                out.append(self.event(stream, seq, text))
            whole += text
        if fault == "whole":
            whole = whole[:-1] + "x"
        out.append(self.event(stream, self.events + 1, whole, True))
        return out

    def do_POST(self):
        fault = self.path.split("/")[1]
        self.rfile.read(int(self.headers["Content-Length"]))
        stream = "%032x" % (len(self.answers) + 1)
        script = self.answers[stream] = self.script(stream, fault)
        self.head(stream)
        if fault == "noend":
            script = script[:-1]
        self.send(script[:5] if fault == "cut" else script, 0.002,
                  fault != "cut")

    def send(self, events, pause_s, is_whole):
        try:
            for event in events:
                self.chunk(event)
                time.sleep(pause_s)
            if is_whole:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = not is_whole
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def do_GET(self):
        _, fault, _, stream, _ = self.path.split("/")
        if fault == "gone":
            self.send_response(410)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        script = list(self.answers[stream])
        last = self.headers.get("Last-Event-ID")
        after = int(last.split(":")[1]) if last else 0
        if last and fault == "again":
            after -= 1
            # The id rises, but the text is one that was there.
            script[after] = re.sub("id: (.*):[0-9]+", "id: \\1:%d" % (after + 2),
                                   script[after], count=1)
        if last and fault == "skip":
            after += 1
        if last and fault == "sendback" and last.endswith(":6"):
            script = script[:7]
            script.append('data: {"id":"7","content":"","isEnd":false,'
                          '"reconnect":true,"code":"draining"}\n\n')
        if not last and fault == "replaydiffers":
            script[3] = script[3].replace('"conversionId":"c"',
                                          '"conversionId":"d"')
        self.head(stream)
        self.send(script[after:], 0.002, True)


class Check:
    def __init__(self, built):
        self.load = os.path.join(built, "bench_load")
        self.count = self.bad = 0

    def client(self, port, path, *more):
        args = [self.load, "--port", str(port), "--path", path, "--events",
                "8", "--text-bytes", str(FILLER_BYTES), "--limit-ms", "5000",
                "--idle-ms", "1000", "--streams", "2", *more]
        done = subprocess.run(args, stdout=subprocess.PIPE, timeout=20,
                              check=False)
        report = json.loads(done.stdout.decode().splitlines()[-1])
        if (done.returncode != 0) != (report["failed_count"] > 0):
            report["failed"]["exit_status"] = done.returncode
        return report

    def expect(self, name, report, failure):
        self.count += 1
        wanted = {failure: 2} if failure else {}
        whole = 0 if failure else 2
        if report["failed"] == wanted and report["whole"] == whole:
            return
        self.bad += 1
        print("not ok: %s: expected %s, got %s, %d whole (%s)" % (
            name, wanted, report["failed"], report["whole"],
            report["example"]))


def check_bailian(check, built):
    port = free_port()
    upstream = subprocess.Popen(
        [os.path.join(built, "bench_upstream"), "--port", str(port)],
        stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        for fault, failure in [("", None)] + list(BAILIAN.items()):
            shape = "b-8-1000-1-%d%s" % (FILLER_BYTES, fault and "-" + fault)
            path = "/api/v1/apps/%s/completion" % shape
            # Cut at every byte, in odd pieces, and as it comes.
            for size in ("1", "7", "262144"):
                report = check.client(port, path, "--read-bytes", size)
                check.expect("bailian %s, %s bytes a read" % (
                    fault or "sound", size), report, failure)
        path = "/api/v1/apps/b-8-1000-1-%d/completion" % FILLER_BYTES
        report = check.client(port, path, "--keepalive", "--requests", "2")
        check.expect("bailian keep-alive", report, None)
        report = check.client(port, path, "--events", "9")
        check.expect("bailian one event too few", report, "early_end")
    finally:
        upstream.terminate()
        upstream.wait(5)


def check_chat(check):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for fault, failure in CHAT.items():
        for size in ("1", "262144"):
            report = check.client(port, "/%s/stream" % fault, "--dialect",
                                  "chat", "--read-bytes", size)
            check.expect("chat %s" % fault, report, failure)
    for fault, failure in RESUME.items():
        report = check.client(
            port, "/%s/stream" % fault, "--dialect", "chat", "--behave",
            "resume", "--after", "6", "--replay", "--resume-path",
            "/%s/streams/%%s/events" % fault)
        check.expect("resume %s" % fault, report, failure)
        if not failure and report["replayed"] != 2:
            check.expect("replays counted", report, "replay")
    report = check.client(
        port, "/none/stream", "--dialect", "chat", "--behave", "resume",
        "--after", "2", "--times", "3", "--replay", "--resume-path",
        "/none/streams/%s/events")
    if report["resumed"] != 6:
        report["failed"]["resumes"] = report["resumed"]
    check.expect("three losses a stream", report, None)
    server.shutdown()


def main():
    built = sys.argv[1] if len(sys.argv) > 1 else "bench"
    check = Check(built)
    check_bailian(check, built)
    check_chat(check)
    selftest_ws.check_sockets(check, os.path.join(built, "bench_ws"))
    print("%d checks, %d not ok" % (check.count, check.bad))
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
