# SPDX-License-Identifier: Apache-2.0
"""hook - a webhook's receiver: keeps what it gets, answers as it is told."""
import http.server
import json
import threading


class Hook:
    """`reply`: status, content type, body of each answer."""

    def __init__(self):
        hook = self
        self.reply = (200, "application/json", b'{"errcode":0}')
        self.lock = threading.Lock()
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with hook.lock:
                    hook.requests.append((self.path, dict(self.headers), body))
                status, kind, text = hook.reply
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status // 100 == 3:
                    self.send_header("Location", hook.url("/elsewhere"))
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.server.server_address[1], path)

    def seen(self):
        with self.lock:
            return list(self.requests)

    def messages(self, **wanted):
        """Bodies whose members are these."""
        found = [json.loads(body) for _, _, body in self.seen()]
        return [m for m in found
                if all(m.get(k) == v for k, v in wanted.items())]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
