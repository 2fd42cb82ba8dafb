# SPDX-License-Identifier: Apache-2.0
"""The readers of an admin page: one of the live feed, one of paged lists.

What they read is timed as it arrives and looked into afterwards, so that they
take little from the processors that they share with the servers.
"""
import base64
import datetime
import http.client
import json
import threading
import time

PAGE = 100          # rows of the feed and of a page of the list
CALLS_PER_S = 5


def at_share(values, share):
    """The value that this share of them does not exceed."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def spread(values):
    if not values:
        return None
    return {"p50": at_share(values, 0.5), "p99": at_share(values, 0.99),
            "max": max(values), "count": len(values)}


def seconds_of(at):
    """Seconds since 1970 of a time as the API writes it."""
    return datetime.datetime.fromisoformat(
        at.replace("Z", "+00:00")).timestamp()


class Readers:
    """Both readers, from start() to stop()."""

    def __init__(self, server):
        self.server = server
        self.news = []      # (arrived, data) of the feed
        self.calls_ms = []
        self.errors = []
        self.reconnected = 0
        self.is_ending = threading.Event()
        self.feed = None
        self.threads = [threading.Thread(target=self.guarded, args=(read,),
                                         daemon=True)
                        for read in (self.read_feed, self.read_lists)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def guarded(self, read):
        try:
            read()
        except (OSError, ValueError, http.client.HTTPException) as e:
            if not self.is_ending.is_set():
                self.errors.append("%s: %s" % (read.__name__, e))

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.server.port,
                                          timeout=30)

    def get(self, connection, path):
        login = base64.b64encode(self.server.ADMIN.encode()).decode()
        connection.request("GET", "/admin/api/" + path,
                           headers={"Authorization": "Basic " + login})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError("GET %s: %d %s" % (path, answer.status,
                                                answer.read(300)))
        return answer

    def read_feed(self):
        connection = self.connection()
        self.feed = self.get(connection, "live/events?limit=%d" % PAGE)
        while not self.is_ending.is_set():
            line = self.feed.readline()
            if not line:
                raise ValueError("the feed ended")
            if line.startswith(b"data:"):
                self.news.append((time.time(), line[5:]))
        connection.close()

    def read_lists(self):
        """Page after page, and from the first again behind the last."""
        connection, cursor, due = self.connection(), None, time.monotonic()
        is_used = False
        while not self.is_ending.wait(max(0, due - time.monotonic())):
            due += 1 / CALLS_PER_S
            path = "live?limit=%d" % PAGE
            if cursor:
                path += "&cursor=" + cursor
            began = time.monotonic()
            try:
                body = self.get(connection, path).read()
            except (http.client.RemoteDisconnected, ConnectionError):
                # httpd gives up kept connections when it has many: a client
                # of HTTP/1.1 then asks again, and the time goes on.
                if not is_used:
                    raise
                connection.close()
                self.reconnected += 1
                body = self.get(connection, path).read()
            is_used = True
            self.calls_ms.append((time.monotonic() - began) * 1e3)
            cursor = json.loads(body)["next"]
        connection.close()

    def stop(self):
        """Ends both and says what they saw."""
        self.is_ending.set()
        for thread in self.threads:
            thread.join(35)
            if thread.is_alive():
                self.errors.append("a reader does not end")
        return self.figures()

    def figures(self):
        ages, silent, most = [], [], 0
        for arrived, data in self.news:
            said = json.loads(data)
            if "at" in said:
                ages.append((arrived - seconds_of(said["at"])) * 1e3)
                most = max(most, said["total"])
            # What a row says of its last event: as old as the row, plus what
            # the stream itself is late.
            silent += [item["silentMs"] for item in said.get("items", [])
                       if item["phase"] == "streaming"]
        times = [arrived for arrived, _ in self.news]
        silences = [(b - a) * 1e3 for a, b in zip(times, times[1:])]
        return {"age_ms": spread(ages), "row_silent_ms": spread(silent),
                "silence_ms": spread(silences),
                "call_ms": spread(self.calls_ms), "streams_told": most,
                "reconnected": self.reconnected, "errors": self.errors}
