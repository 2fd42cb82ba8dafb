# SPDX-License-Identifier: Apache-2.0
"""build/run as somebody uses it who has just cloned the repository.

It builds into _build/run of this checkout, as it does for everybody.
"""
import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
RUN = os.path.join(ROOT, "build", "run")
EMULATOR = os.path.join(ROOT, "tests", "emulator", "bailian_emulator.py")
CANARY = "sk-canary5d0c7be91f3a4826"
BUILD_S = 900  # with all packages to be installed
WAIT_S = 120


def environment(**more):
    """Ours, without the two that choose Bailian itself."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("DASHSCOPE_API_KEY", "BAILIAN_APP_ID")}
    return dict(kept, **more)


def run(*args, **more):
    return subprocess.run([RUN, *args], capture_output=True, text=True,
                          timeout=BUILD_S, env=environment(**more),
                          stdin=subprocess.DEVNULL)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "did not come true in %d s" % WAIT_S
        time.sleep(0.05)


def fetch(url, user=None):
    """(status, text)"""
    request = urllib.request.Request(url)
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(
            user.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def stream(command):
    """What a printed curl line answers: the values of its data lines."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True,
                          timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    return [json.loads(line[5:]) for line in done.stdout.split("\n")
            if line.startswith("data:")]


class Place:
    """A state folder and a port; what was printed by the first start."""

    def __init__(self):
        # httpd's children must reach it, as below /home or /srv.
        self.top = tempfile.mkdtemp(prefix="bl-run-")
        os.chmod(self.top, 0o755)
        self.state = os.path.join(self.top, "the state")
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.password = None

    def start(self, *args, **more):
        done = run("--background", "--state", self.state, "--port",
                   str(self.port), *args, **more)
        assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
        found = re.search(r"user admin, password (\S+)", done.stdout)
        if found:
            self.password = found.group(1)
        return done.stdout

    def stop(self):
        done = run("--state", self.state, "--stop")
        assert done.returncode == 0, done.stderr

    def pid(self, name):
        with open(os.path.join(self.state, name + ".pid")) as file:
            return int(file.read())

    def has_ended(self, pid):
        return not os.path.exists("/proc/%d" % pid)

    def curl_line(self, printed):
        return re.search(r"^ +(curl .*)$", printed, re.M).group(1)

    def ask(self, text, **members):
        body = json.dumps(dict(members, message=text))
        return stream("curl -sN -H 'Content-Type: application/json' -d '%s' "
                      "%s/bailian/stream" % (body, self.url))


@pytest.fixture(scope="module")
def place():
    """Started once, with everything built; stopped and removed at the end."""
    here = Place()
    try:
        here.printed = here.start()
        yield here
    finally:
        if os.path.isdir(here.state):
            here.stop()
        shutil.rmtree(here.top)


def test_the_printed_curl_line_streams_an_answer(place):
    events = stream(place.curl_line(place.printed) + " -sS")
    assert len(events) > 10 and events[-1]["isEnd"]
    assert events[-1]["finishReason"] == "stop"
    text = "".join(event["content"] for event in events[:-1])
    assert text and events[-1]["content"] == text


def test_what_is_printed_is_there(place):
    for path in ("/bailian/chat/", "/bailian/livez"):
        assert fetch(place.url + path)[0] == 200
    assert "%s/bailian/chat/" % place.url in place.printed
    admin = place.url + "/bailian-admin/"
    assert admin in place.printed
    assert fetch(admin)[0] == 401
    assert fetch(admin, "admin:" + place.password)[0] == 200
    assert os.path.exists(os.path.join(place.state, "logs", "error.log"))


def test_an_answer_is_found_in_the_history_after_a_second_start(place):
    place.ask("What is tea?", userId="reader", conversionId="kept")
    pids = [place.pid("httpd"), place.pid("emulator")]
    place.stop()
    assert all(place.has_ended(pid) for pid in pids)
    printed = place.start()
    assert "password" not in printed, "it is shown once"
    assert "  CC " not in printed, "nothing is built again"
    status, listed = fetch(place.url + "/bailian/conversations?userId=reader")
    assert status == 200 and "What is tea?" in listed
    assert fetch(place.url + "/bailian-admin/",
                 "admin:" + place.password)[0] == 200


def test_a_start_beside_a_running_one_is_refused(place):
    again = run("--background", "--state", place.state, "--port",
                str(free_port()))
    assert again.returncode == 1
    assert "--stop" in again.stderr
    other = os.path.join(place.top, "other")
    taken = run("--background", "--state", other, "--port", str(place.port))
    assert taken.returncode == 1
    assert "port %d is taken" % place.port in taken.stderr
    assert fetch(place.url + "/bailian/livez")[0] == 200


@pytest.mark.parametrize("args, says", [
    (["--port", "http"], "--port wants a number"),
    (["--port"], "--port wants a value"),
    (["--upstream", "example.com"], "--upstream wants http"),
    (["--fast"], "unknown argument: --fast"),
])
def test_a_wrong_argument_is_refused(args, says):
    done = run(*args)
    assert done.returncode == 1 and says in done.stderr


def test_help_says_each_option():
    done = run("--help")
    assert done.returncode == 0
    for option in ("--port", "--state", "--upstream", "--background", "--stop"):
        assert option in done.stdout


@pytest.fixture
def upstream():
    """A service of one's own, as --upstream names it."""
    process = subprocess.Popen(
        [sys.executable, EMULATOR, "--port", "0", "--speed", "20"],
        stdout=subprocess.PIPE, text=True)
    yield process.stdout.readline().split()[1]
    process.terminate()
    process.wait(WAIT_S)


def files_below(path):
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            if os.path.isfile(full) and not os.path.islink(full):
                yield full


def test_another_upstream_gets_the_key_and_nobody_else(place, upstream):
    place.stop()
    place.start("--upstream", upstream + "/api/v1", DASHSCOPE_API_KEY=CANARY,
                BAILIAN_APP_ID="own-app")
    try:
        events = place.ask("Hello")
        assert events[-1]["isEnd"]
        asked = json.loads(fetch(upstream + "/_emulator/requests")[1])
        assert [ask["path"] for ask in asked] == [
            "/api/v1/apps/own-app/completion"]
        assert CANARY in json.dumps(asked[0]["headers"])
        for name in files_below(place.state):
            with open(name, "rb") as file:
                assert CANARY.encode() not in file.read(), name
        with open("/proc/%d/environ" % place.pid("httpd"), "rb") as file:
            assert CANARY.encode() not in file.read()
    finally:
        place.stop()
        place.start()


def test_interrupting_the_foreground_ends_everything(place):
    place.stop()
    process = subprocess.Popen(
        [RUN, "--state", place.state, "--port", str(place.port)],
        stdout=subprocess.DEVNULL, env=environment(), stdin=subprocess.DEVNULL,
        start_new_session=True)
    try:
        until(lambda: os.path.exists(os.path.join(place.state, "httpd.pid")))
        until(lambda: answers(place.url + "/bailian/livez"))
        pids = [place.pid("httpd"), place.pid("emulator")]
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(WAIT_S) != 0
        assert all(place.has_ended(pid) for pid in pids)
    finally:
        if process.poll() is None:
            process.kill()
        place.start()


def answers(url):
    try:
        return fetch(url)[0] == 200
    except OSError:
        return False
