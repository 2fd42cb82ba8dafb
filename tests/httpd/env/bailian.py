# SPDX-License-Identifier: Apache-2.0
"""bailian - the emulator as a process, and its control API."""
import http.client
import json
import re
import subprocess
import sys

from . import build
from .polling import until

CURRENT = "current"


class Bailian:
    """One emulator; scenario() says how it treats the app scenario-current."""

    def __init__(self, cert=None, speed=20):
        command = build.DIES_WITH_US + [
            sys.executable, build.EMULATOR, "--port", "0", "--speed",
            str(speed)]
        if cert:
            command += ["--tls-port", "0", "--cert", cert[0], "--key", cert[1]]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        text=True)
        ready = self.process.stdout.readline()
        self.port, *tls = map(int, re.findall(r":(\d+)", ready))
        self.tls_port = tls[0] if tls else None
        self.base_url = "http://127.0.0.1:%d/api/v1" % self.port

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0, "the emulator did not end well"

    def control(self, method, path, body=None):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            conn.request(method, "/_emulator/" + path,
                         None if body is None else json.dumps(body))
            reply = conn.getresponse()
            found = json.loads(reply.read())
        finally:
            conn.close()
        assert reply.status == 200, found
        return found

    # --- what happens -------------------------------------------------------
    def reset(self):
        self.control("POST", "reset")
        self.say()

    def scenario(self, found, name=CURRENT):
        """A library name, a list of steps, or a whole scenario."""
        if isinstance(found, str):
            found = {"like": found}
        elif isinstance(found, list):
            found = {"steps": found}
        self.control("PUT", "scenarios/" + name, found)

    def say(self, *pieces, **options):
        """One plain answer of these pieces, at once."""
        self.scenario([{"answer": dict(
            {"interval": 0, "first_delay": 0},
            **({"pieces": list(pieces)} if pieces else {}), **options)}])

    def release(self, barrier):
        self.control("POST", "release/" + barrier)

    def reached(self, barrier, count=1, seconds=10):
        """Waits until a scenario stands at the barrier."""
        until(lambda: self.control("GET", "barriers").get(
            barrier, {}).get("waiting", 0) >= count, seconds,
            "the upstream at barrier %s" % barrier)

    # --- what was asked -----------------------------------------------------
    def requests(self):
        return self.control("GET", "requests")

    def forget(self):
        self.control("DELETE", "requests")

    def connections(self):
        """Open ones, without the one that asks."""
        return [c for c in self.control("GET", "connections")
                if c["out"] or c["in"] > 0 and c["unsent"] >= 0][:-1]

    def request(self, number=0, state=None, seconds=10):
        """Request `number`, as soon as there is one (in that state)."""
        def look():
            found = self.requests()
            if len(found) <= number and number >= 0 or not found:
                return None
            record = found[number]
            return record if state in (None, record["state"]) else None
        return until(look, seconds, "request %d %s" % (number, state or ""))

    def body(self, number=0):
        return json.loads(self.request(number)["body"])
