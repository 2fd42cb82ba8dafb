# SPDX-License-Identifier: Apache-2.0
"""traps - places that the module must not talk to, and what they heard.

Each is an upstream of the test database under its own name: a closed port, a
port that drops packets, a name that does not resolve, and every kind of TLS
that is not to be trusted (U01 - U05, S-32 - S-35).
"""
import socket
import ssl
import threading

from . import canary
from .server import reserve_port


class Trap:
    """Accepts, speaks TLS where it has a certificate, notes what it hears."""

    def __init__(self, cert=None, answers=True, says=b""):
        self.heard = b""
        self.says = says
        self.accepted = 0
        self.answers = answers
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.conns = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.accepted += 1
            self.conns.append(conn)
            if self.answers:
                threading.Thread(target=self._hear, args=(conn,),
                                 daemon=True).start()

    def _hear(self, conn):
        try:
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            while True:
                data = conn.recv(65536)
                if not data:
                    return
                self.heard += data
                if self.says:
                    conn.sendall(self.says)
                    return
        except OSError:
            pass
        finally:
            conn.close()

    def close(self):
        self.sock.close()
        for conn in self.conns:
            conn.close()


class Hole:
    """A port whose queue of connections is full: SYN packets are dropped."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(0)
        self.port = self.sock.getsockname()[1]
        self.fill = []
        for _ in range(4):
            conn = socket.socket()
            conn.setblocking(False)
            conn.connect_ex(("127.0.0.1", self.port))
            self.fill.append(conn)

    def close(self):
        for conn in self.fill:
            conn.close()
        self.sock.close()


class Traps:
    """All of them; `targets` goes into the database."""

    def __init__(self, authority, bailian):
        self.redirect = Trap()
        self.unknown = Trap(authority.issue("unknown"))
        self.expired = Trap(authority.issue("expired", days=-1))
        self.name = Trap(authority.issue("name", host="elsewhere.test"))
        self.self_signed = Trap(authority.issue("self", self_signed=True))
        self.hangs = Trap(answers=False)
        self.plain = Trap(says=b"HTTP/1.1 400 Bad Request\r\n"
                               b"content-length: 0\r\n\r\n")
        self.hole = Hole()
        self.closed = reserve_port()
        trusted = "--ca-file " + authority.file
        self.targets = {
            "closed": (_url("http", self.closed.getsockname()[1]), ""),
            "hole": (_url("http", self.hole.port), ""),
            "nameless": ("http://no-such-host.invalid/api/v1", ""),
            "tls": (_url("https", bailian.tls_port), trusted),
            "tls-unknown": (_url("https", self.unknown.port), ""),
            "tls-expired": (_url("https", self.expired.port), trusted),
            "tls-name": (_url("https", self.name.port), trusted),
            "tls-self": (_url("https", self.self_signed.port), trusted),
            "tls-plain": (_url("https", self.plain.port), trusted),
            "tls-hangs": (_url("https", self.hangs.port), trusted),
            "bad-key": (bailian.base_url, "", ("sk-bad-canary-0001",)),
            "two-keys": (bailian.base_url, "",
                         ("sk-bad-canary-0002", canary.API_KEY)),
            "no-key": (bailian.base_url, "", ()),
        }

    def close(self):
        for trap in (self.redirect, self.unknown, self.expired, self.name,
                     self.self_signed, self.hangs, self.plain, self.hole,
                     self.closed):
            trap.close()


def _url(scheme, port):
    return "%s://127.0.0.1:%d/api/v1" % (scheme, port)
