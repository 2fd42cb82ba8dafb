# SPDX-License-Identifier: Apache-2.0
"""R03: streams hold no more memory than BailianMemoryBudget. Above 80 % the
next question is refused, whatever asks it, and what runs goes on; an answer
for which nothing is left ends as "overloaded"."""
import os
import signal

import pytest

from answers import (TEA, TEA_BEGIN, TEA_TEXT, assert_answer, assert_failure,
                     last, piece)
from env.admin import LOCATION, Admin, metric
from env.polling import until
from env.ws import Talk

MIB = 1024 * 1024
BUDGET = 32 * MIB
ANSWER = 11 * MIB // 2
FULL = 5  # so many of them are above 80 % and below 100 %, one less far below
HELD = ANSWER + 64 * 1024
EACH = "x" * 65536
GROWS = {"repeat": {"times": ANSWER // len(EACH), "steps": [piece(EACH)]}}
SHORT = "BL1311"  # said once a minute: not in each test
BUSY = "BL1501"  # megabytes of several answers are summed up in one turn
# Nobody need read there, and an upstream may stand at a barrier for long.
PATIENT = LOCATION + """
<Location "/patient">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianDisconnect drain
    BailianFirstContentTimeout 1h
    BailianGapTimeout 1h
    BailianStreamTimeout 2h
</Location>
"""
small = pytest.mark.server(locations=PATIENT,
                           global_extra="BailianMemoryBudget 32M")


def held(env):
    return metric(env, "memory_bytes")


def is_nearly_empty(env):
    try:
        return held(env) < MIB
    except (AssertionError, OSError, ValueError):
        return False  # a child that is just killed


def fill(env, barrier, count=FULL):
    """Answers that stand at the barrier, and that nobody reads. One after the
    other: what waits for the database counts as well."""
    until(lambda: is_nearly_empty(env), 20, "the end of what was before")
    before, said = held(env), metric(env, "content_bytes_total")
    env.bailian.scenario([GROWS, {"barrier": barrier}, last("y")])
    found = []
    for number in range(count):
        stream = env.ask_open(base="/patient", user="full%d" % number)
        assert stream.status == 200, stream.code
        found.append(stream)
        stream.close()
        least = (number + 1) * HELD
        most = before + least + (number + 1) * MIB // 2
        until(lambda: metric(env, "content_bytes_total") - said >=
              (number + 1) * ANSWER and least < held(env) < most, 60,
              "the whole answer in memory")
    return found


def empty(env, barrier, streams):
    """They end well, and nothing of them stays."""
    env.bailian.release(barrier)
    for number, stream in enumerate(streams):
        state = env.ended(stream, base="/patient", user="full%d" % number,
                          seconds=60)
        assert state["outcome"] == "completed", state
    until(lambda: is_nearly_empty(env), 60, "the memory back")


def assert_refused(reply):
    assert reply.status == 503 and reply.json()["code"] == "overloaded", \
        reply.body
    assert 1 <= int(reply.header("retry-after")) <= 30


def question(user):
    return {"message": "q", "userId": user}


def talk(env):
    socket = Talk(env.connect(), "/patient/ws?userId=wang")
    socket.greeted()
    return socket


# --- above 80 % -------------------------------------------------------------
@small
def test_r03_above_80_percent_nothing_new_begins_on_any_transport(env):
    env.allow_log(SHORT, BUSY)
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "neighbour"},
                          last(*TEA[2:])])
    neighbour = env.ask_open(base="/patient", user="neighbour",
                             seconds=60).read(stop_after=2)
    socket = talk(env)
    streams = fill(env, "go")
    refused = metric(env, "memory_refused_total")

    assert_refused(env.post("/bailian/stream", question("new")))
    assert_refused(env.get("/bailian/miniapp-stream?message=q&userId=new"))
    assert_refused(env.post("/bailian/api/chat/stream", question("new")))
    assert_refused(env.post("/bailian/api/chat/sync", question("new")))
    socket.ask("q", requestId="q-1")
    error = socket.message()
    assert (error["type"], error["code"], error["requestId"]) == \
        ("ERROR", "overloaded", "q-1")
    assert metric(env, "memory_refused_total") == refused + 5

    # What runs is read on by whoever comes, and ends well.
    env.bailian.release("neighbour")
    again = env.resume(neighbour, after=0, user="neighbour")
    assert again.text == TEA_TEXT and again.is_completed
    assert_answer(neighbour.read())
    empty(env, "go", streams)

    env.bailian.say(*TEA)
    assert_answer(env.ask(user="new"))
    socket.ask("q", streaming=False)
    assert socket.get("CHAT_RESPONSE")["content"] == TEA_TEXT


@small
@pytest.mark.server(children=2, threads=16)
def test_r03_budget_is_that_of_all_children(env):
    env.allow_log(SHORT, BUSY)
    streams = fill(env, "go")
    for number in range(20):  # a new connection each: now this child, now that
        assert_refused(env.post("/bailian/stream", question("u%d" % number)))
    empty(env, "go", streams)
    env.bailian.say(*TEA)
    for number in range(4):
        assert_answer(env.ask(user="u%d" % number))


# --- 100 % ------------------------------------------------------------------
@small
def test_r03_answer_that_has_no_room_to_grow_ends_as_overloaded(env):
    env.allow_log(SHORT, BUSY)
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "grow"}, GROWS, GROWS,
                          last("z")])
    grows = env.ask_open(base="/patient", user="grows", seconds=120).read(stop_after=2)
    streams = fill(env, "go")
    ended = metric(env, "memory_ended_total")
    env.bailian.release("grow")
    grows.read()
    text = grows.text
    assert text.startswith(TEA_BEGIN) and len(text) < 2 * ANSWER
    assert set(text[len(TEA_BEGIN):]) <= {"x"}
    assert_failure(grows, "overloaded", text, outcome="error")
    assert metric(env, "memory_ended_total") == ended + 1
    # What others hold is theirs, and what came of this one is kept.
    empty(env, "go", streams)
    assert env.ended(grows, user="grows")["outcome"] == "error"
    again = env.resume(grows, after=0, user="grows", seconds=60)
    assert again.text == text and again.code == "overloaded"
    env.bailian.say(*TEA)
    assert_answer(env.ask(user="grows"))


@small
def test_r03_answer_without_room_is_said_on_websocket_and_poll(env):
    env.allow_log(SHORT, BUSY)
    env.bailian.scenario([piece("a"), {"barrier": "grow"}, GROWS, GROWS,
                          last("z")])
    socket = talk(env)
    socket.ask("q", requestId="q-1")
    socket.get("CHAT_STREAM_START")
    polled = env.post("/patient/api/chat/stream", question("poll")).json()
    stream_id = polled["data"]["streamId"]
    env.bailian.reached("grow", 2)
    streams = fill(env, "go")
    env.bailian.release("grow")
    found = socket.message(60)
    while found["type"] == "CHAT_STREAM_DATA":
        found = socket.message(60)
    assert (found["type"], found["code"]) == ("ERROR", "overloaded")
    assert socket.get("CHAT_STREAM_END")["finishReason"] == "error"
    state = env.ended(stream_id, user="poll", seconds=60)
    assert (state["outcome"], state["code"]) == ("error", "overloaded")
    empty(env, "go", streams)


# --- P01 with it: what a killed child held is nobody's ------------------------
@small
@pytest.mark.own_server
def test_r03_memory_of_a_killed_child_is_free_again(env):
    env.allow_log(SHORT, BUSY, "exit signal", "BL1412")
    fill(env, "go")
    assert_refused(env.post("/bailian/stream", question("new")))
    for pid in env.server.children():
        os.kill(pid, signal.SIGKILL)
    until(lambda: is_nearly_empty(env), 60, "the memory back")
    env.bailian.release("go")
    env.bailian.say(*TEA)
    assert_answer(env.ask(user="new"))


# --- what an admin sees and says ----------------------------------------------
# Other words for the same: a server on which nobody was short before, which
# would have been said already.
@pytest.mark.own_server
@pytest.mark.server(locations=PATIENT,
                    global_extra="BailianMemoryBudget 33554432")
def test_r03_shortage_is_seen_and_said_once(env):
    env.allow_log(SHORT, BUSY)
    admin = Admin(env)

    def check(lang="en"):
        found = admin.get("health", {"Accept-Language": lang}).json()
        return {c["name"]: c for c in found["checks"]}["memory"]

    assert check()["state"] == "ok" and check()["fix"] is None
    assert metric(env, "memory_budget_bytes") == BUDGET
    streams = fill(env, "go")
    for number in range(5):
        assert_refused(env.post("/bailian/stream", question("u%d" % number)))
    assert check()["state"] == "warning" and check()["code"] == "memory_high"
    assert "BailianMemoryBudget" in check()["fix"]
    assert "预算 32 MiB" in check("zh")["detail"]
    memory = admin.get("overview").json()["memory"]
    assert FULL * HELD < memory["heldBytes"] < memory["budgetBytes"] == BUDGET
    empty(env, "go", streams)
    assert check()["state"] == "ok"
    env.log.wait_for(SHORT, 20)  # written by a thread of its own
    lines = [line for line in env.log.text().splitlines() if SHORT in line]
    assert len(lines) == 1 and "32 MiB" in lines[0], lines


@pytest.mark.server(locations=PATIENT, global_extra="BailianMemoryBudget off")
def test_r03_off_counts_and_refuses_nothing(env):
    env.allow_log(BUSY)
    streams = fill(env, "go", FULL + 2)
    assert held(env) > BUDGET and metric(env, "memory_budget_bytes") == 0
    memory = Admin(env).get("overview").json()["memory"]
    assert memory["budgetBytes"] == 0 < memory["heldBytes"]
    env.bailian.say(*TEA)
    assert_answer(env.ask(user="new"))
    empty(env, "go", streams)


@pytest.mark.server(locations=LOCATION)
def test_r03_default_is_a_share_of_what_there_is(env):
    with open("/proc/meminfo", encoding="ascii") as file:
        there = int(file.readline().split()[1]) * 1024
    assert 32 * MIB <= metric(env, "memory_budget_bytes") <= \
        max(there // 2, 32 * MIB)


@pytest.mark.parametrize("text", ["31M", "1", "-1", "33554431", "1.5G", "64MB",
                                  "lots", "G", "9999999999G", "on"])
def test_p13_budget_too_small_for_one_answer_is_refused(servers, text):
    status, said = servers.configtest(
        global_extra="BailianMemoryBudget " + text)
    assert status != 0
    assert 'BailianMemoryBudget: must be "off", or 33554432 bytes or more' in \
        said and 'such as "32M"' in said and '"%s"' % text in said


@pytest.mark.parametrize("text", ["off", "0", "OFF", "32M", "32768k",
                                  "33554432", "4G", "1024g"])
def test_p13_budget_with_each_unit_is_taken(servers, text):
    status, said = servers.configtest(
        global_extra="BailianMemoryBudget " + text)
    assert status == 0, said


@pytest.mark.own_server
@pytest.mark.server(global_extra="BailianMemoryBudget 1048576G")
def test_r03_budget_above_what_there_is_is_warned_of(env):
    env.allow_log("BL1817")
    with open(env.server.path("error_log"), encoding="utf-8") as file:
        line, = {row.split("BL1817")[1] for row in file if "BL1817" in row}
    assert "more than the" in line and "a third of that" in line
