# SPDX-License-Identifier: Apache-2.0
"""herd - hundreds of clients at once, read by one thread.

While a client reads it only collects bytes and notes when they came; what they
say is looked at when its connection has ended.
"""
import os
import re
import selectors
import threading
import time

from . import raw
from .polling import until
from .sse import Stream

EVENT = b"\ndata: "


class Client:
    """One connection of the herd."""

    def __init__(self, conn, user):
        self.conn = conn
        self.user = user
        self.local_port = conn.sock.getsockname()[1]
        self.asked_at = time.monotonic()
        self.times = []  # (when, how many bytes there were then)

    @property
    def has_ended(self):
        return self.conn.ended is not None

    @property
    def size(self):
        return len(self.conn.inbox)

    @property
    def event_count(self):
        return self.conn.inbox.count(EVENT)

    @property
    def stream_id(self):
        found = re.search(rb"\r\nx-bailian-stream: ([0-9a-f]{32})\r\n",
                          self.conn.inbox, re.IGNORECASE)
        return found and found.group(1).decode()

    def read(self):
        """What came, all of it: the connection has ended."""
        assert self.has_ended
        return self._parse(bytes(self.conn.inbox))

    def read_until(self, when):
        """What had come by then."""
        size = max([n for at, n in self.times if at <= when], default=0)
        return self._parse(bytes(self.conn.inbox[:size]))

    def _parse(self, data):
        if b"\r\n\r\n" not in data:
            return None
        conn = raw.Raw.__new__(raw.Raw)
        conn.seconds, conn.sock = 0, None
        conn.inbox, conn.ended = bytearray(data), self.conn.ended or "fin"
        stream = Stream(conn)
        return stream if stream.reply else stream.read()


class Herd:
    def __init__(self):
        self.clients = []
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._is_over = True
        self._thread.join(60)
        for client in self.clients:
            client.conn.close()

    def ask(self, port, method, path, body=None, headers=None, user=None):
        """Sends the request; its answer is collected from now on."""
        conn = raw.Raw(port, seconds=60)
        client = Client(conn, user)
        conn.send(raw.request(method, path, body, headers, close=True))
        conn.sock.setblocking(False)
        with self._lock:
            self.clients.append(client)
            self._selector.register(conn.sock, selectors.EVENT_READ, client)
        return client

    def leave(self, client):
        """The client goes away."""
        with self._lock:
            if not client.has_ended:
                self._selector.unregister(client.conn.sock)
                client.conn.ended = "left"
            client.conn.close()

    def _run(self):
        while not self._is_over:
            with self._lock:
                ready = self._selector.select(0)
                for key, _ in ready:
                    self._take(key.data)
            if not ready:
                time.sleep(0.005)

    def _take(self, client):
        conn = client.conn
        try:
            data = conn.sock.recv(256 * 1024)
        except BlockingIOError:
            return
        except ConnectionError:
            data, conn.ended = b"", "reset"
        if data:
            conn.inbox += data
            client.times.append((time.monotonic(), len(conn.inbox)))
            return
        self._selector.unregister(conn.sock)
        conn.ended = conn.ended or "fin"


def of_process(pid, clients):
    """Those whose connection this process has: nobody waits to be accepted."""
    inodes = set()
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            target = os.readlink("/proc/%d/fd/%s" % (pid, name))
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in list(file)[1:]:
            fields = line.split()
            if fields[9] in inodes:
                ports.add(int(fields[2].rsplit(":", 1)[1], 16))
    return [c for c in clients if c.local_port in ports and not c.has_ended]


def all_ended(clients, seconds, what):
    until(lambda: all(c.has_ended for c in clients), seconds, what)
