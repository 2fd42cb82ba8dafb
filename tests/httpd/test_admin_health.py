# SPDX-License-Identifier: Apache-2.0
"""Is it well, how has it been, and what lies on the path to the browser."""
import datetime
import json
import math
import subprocess

import pytest

from answers import TEA
from env.admin import LI, LOCATION, Admin, admin_location
from env.database import change
from env.polling import until

pytestmark = pytest.mark.server(locations=LOCATION)


def get(env, path):
    return env.get("/bailian-admin/api/" + path, LI)


def by_name(reply):
    return {c["name"]: c for c in reply["checks"]}


def checks(env):
    return by_name(get(env, "health").json())


# --- health -----------------------------------------------------------------

def restore(env):
    """What tests before this one taught the server of its upstream."""
    admin = Admin(env)
    for path in ["upstreams/emulator"] + [
            "keys/%d" % k["id"] for k in admin.items("keys?upstream=emulator")]:
        assert admin.post(path + "/restore").status == 200


def test_health_names_what_it_looked_at(env):
    restore(env)
    reply = get(env, "health").json()
    found = by_name(reply)
    assert found["store"]["state"] == "ok"
    assert found["storeGuard"]["state"] == "ok"
    assert found["masterKey"]["state"] == "ok"
    assert found["app"]["state"] == "ok"
    assert found["upstream.emulator"]["state"] == "ok"
    for name in ("requestTimeout", "mpmLimits", "parking", "deflate",
                 "reactor"):
        assert found[name]["state"] in ("ok", "warning")
    for check in found.values():
        assert check["detail"]
        assert (check["fix"] is None) == (check["state"] == "ok"), check
    worst = max(found.values(), key=lambda c: ("ok", "warning",
                                               "error").index(c["state"]))
    assert reply["state"] == worst["state"]
    assert reply["versions"]["httpd"].startswith("Apache")
    assert reply["versions"]["sqlite"].startswith("3.")


def test_health_warns_of_an_upstream_without_a_key(env):
    admin = Admin(env)
    made = admin.post("upstreams", {"name": "bare",
                                    "baseUrl": "https://bare.example/api/v1"})
    assert made.status == 201
    found = until(lambda: checks(env).get("upstream.bare"), 30, "the upstream")
    assert found["state"] == "warning" and "key" in found["fix"]
    assert get(env, "health").json()["state"] != "ok"
    assert admin.delete("upstreams/bare", made.json()["version"]).status == 204
    until(lambda: "upstream.bare" not in checks(env), 30, "its end")


@pytest.mark.own_server
def test_d13_health_counts_keys_that_no_master_key_opens(env):
    restore(env)
    change(env.server, "UPDATE api_key SET master_key_id = 4711 WHERE id ="
           " (SELECT min(id) FROM api_key)")
    found = checks(env)["masterKey"]
    assert found["state"] == "error" and found["detail"].startswith("1 of ")
    assert get(env, "health").json()["state"] == "error"


@pytest.mark.server(mpm="prefork", threads=10, children=2)
def test_health_warns_of_an_mpm_that_holds_a_worker_a_stream(env):
    found = checks(env)
    assert found["mpmLimits"]["state"] == "warning"
    assert found["parking"]["state"] == "warning"


# --- history ----------------------------------------------------------------

def series(env, names, span="5m"):
    return get(env, "history?series=%s&range=%s" % (names, span)).json()


def total(values):
    return sum(v for v in values if v)


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def since(reply, moment, name):
    """The values of the seconds that came after a moment."""
    begin, step = when(reply["from"]), reply["stepMs"]
    values = reply["series"][name]
    first = (moment - begin) / datetime.timedelta(milliseconds=step) + 0.5
    return values[max(0, math.ceil(first)):]


def test_history_shows_the_second_in_which_something_happened(env):
    names = "streams_started,events,live,first_content_p50_ms"
    before = when(series(env, names)["to"])
    env.bailian.say(*TEA)
    env.ask()

    def shown():
        reply = series(env, names)
        return reply if total(since(reply, before, "streams_started")) \
            and total(since(reply, before, "events")) >= 2 \
            and any(v is not None for v in since(
                reply, before, "first_content_p50_ms")) else None

    reply = until(shown, 30, "the sample")
    assert reply["stepMs"] == 1000
    for values in reply["series"].values():
        assert len(values) == 300
    assert when(reply["from"]) < when(reply["to"])
    assert len(series(env, "events", "1h")["series"]["events"]) == 360


@pytest.mark.own_server
def test_history_goes_on_over_a_graceful_restart(env):
    env.bailian.say(*TEA)
    env.ask()
    until(lambda: total(series(env, "events")["series"]["events"]) >= 2, 30,
          "the sample")
    pids = {c["pid"] for c in get(env, "overview").json()["children"]}
    env.server.graceful()
    until(lambda: not pids & {c["pid"] for c in get(
        env, "overview").json()["children"] if not c["draining"]}, 60,
        "the new children")
    assert total(series(env, "events")["series"]["events"]) >= 2


def test_history_refuses_what_it_does_not_know(env):
    assert get(env, "history?series=colour").json()["field"] == "series"
    assert get(env, "history?series=live&range=1d").json()["field"] == "range"


def test_overview_tells_rates_of_the_last_minute(env):
    env.bailian.say(*TEA)
    env.ask()
    until(lambda: (lambda w: w["eventsPerSecond"] > 0
                   and w["streamsPerSecond"] > 0
                   and w["firstContentP50Ms"] is not None)(
                       get(env, "overview").json()["window"]), 30, "the rates")
    reply = get(env, "overview").json()
    assert reply["lastHour"]["streams"] >= 0
    assert set(reply["phases"]) >= {"streaming", "retrying"}


# --- path check -------------------------------------------------------------

@pytest.mark.parametrize("env", [{}, {"global_extra": "BailianAsync sync"}],
                         indirect=True, ids=["parked", "sync"])
def test_pathcheck_sends_its_ticks_one_by_one(env):
    stream = env.sse_open("/bailian-admin/api/pathcheck?ticks=5&everyMs=100",
                          headers=dict(LI, Via="1.1 box"))
    events = []
    while (event := stream.next(30)) is not None:
        events.append(event)
    assert [e.event for e in events] == ["path"] + ["tick"] * 5 + ["done"]
    path = events[0].json
    assert path["parked"] is (env.server.settings["global_extra"] == "")
    assert not path["http2"] and not path["tls"]
    assert path["proxies"] == ["Via: 1.1 box"]
    codes = [h["code"] for h in path["hints"]]
    assert codes[0] == "proxy" and ("notParked" in codes) != path["parked"]
    sent = [e.json["sentMs"] for e in events[1:-1]]
    assert sent[0] == 0 and sent == sorted(sent) and sent[-1] >= 380
    assert stream.ended in ("clean", "close")


@pytest.mark.parametrize("env", [{"locations": admin_location(
    "/bailian-admin", "SetOutputFilter DEFLATE\n")}], indirect=True)
def test_pathcheck_is_not_held_back_by_mod_deflate(env):
    stream = env.sse_open("/bailian-admin/api/pathcheck?ticks=3&everyMs=50",
                          headers=dict(LI, **{"Accept-Encoding": "gzip"}))
    assert stream.header("content-encoding") is None
    assert stream.next(30).event == "path"
    assert [stream.next(30).json["n"] for _ in range(3)] == [1, 2, 3]
    stream.read()
    assert checks(env)["deflate"]["state"] == "ok"


def test_pathcheck_over_http2_says_what_that_costs(env):
    done = subprocess.run(
        ["curl", "-sSkN", "--http2", "--max-time", "120", "-H",
         "Authorization: " + LI["Authorization"],
         "https://127.0.0.1:%d/bailian-admin/api/pathcheck?ticks=2&everyMs=50"
         % env.server.tls_port], capture_output=True, text=True, check=True)
    lines = [line[6:] for line in done.stdout.split("\n")
             if line.startswith("data: ")]
    path = json.loads(lines[0])
    assert path["http2"] and path["tls"] and not path["parked"]
    hint = path["hints"][0]
    assert "HTTP/2" in hint["detail"] and "event MPM" in hint["fix"]
    assert [json.loads(line)["n"] for line in lines[1:3]] == [1, 2]


def test_pathcheck_bounds_what_it_is_asked_for(env):
    for query in ("ticks=1", "ticks=101", "everyMs=49", "everyMs=2001"):
        reply = get(env, "pathcheck?" + query)
        assert reply.status == 400
        assert reply.json()["field"] == query.split("=")[0]
