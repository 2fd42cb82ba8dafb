# SPDX-License-Identifier: Apache-2.0
"""control - /_emulator/...: what tests ask of the emulator itself.

Times are of CLOCK_MONOTONIC, which all processes of a machine share, so a
test may subtract them from its own.
"""
import json
import time

from scenarios import LIBRARY


def shown(record):
    """A record as JSON; an open one with what the kernel has taken so far."""
    found = {k: v for k, v in record.items() if not k.startswith("_")}
    conn = record["_connection"]
    if record["state"] == "open":
        found["sent"] = max(0, record["sent"] - conn.bytes_unsent)
    found["connection_closed_by"] = conn.closed_by
    found["connection_closed_at"] = conn.closed_at
    return found


def connection(conn):
    return {"connection": conn.number, "opened_at": conn.opened_at,
            "tls": conn.is_tls, "in": conn.bytes_in, "out": conn.bytes_out,
            "unsent": conn.bytes_unsent}


def requests(emulator, _name, _request):
    return 200, [shown(record) for record in emulator.requests]


def forget(emulator, _name, _request):
    emulator.requests.clear()
    return 200, {}


def connections(emulator, _name, _request):
    return 200, [connection(c) for c in emulator.connections.values()]


def scenarios(emulator, _name, _request):
    return 200, sorted(set(LIBRARY) | set(emulator.installed))


def install(emulator, name, request):
    """The body is a scenario, or {"like": "name of another"}."""
    try:
        scenario = json.loads(request.body)
        if isinstance(scenario, dict) and set(scenario) == {"like"}:
            scenario = emulator.scenario(scenario["like"])
            if scenario is None:
                return 404, {"error": "no such scenario"}
        emulator.install(name, scenario)
    except ValueError as error:
        return 400, {"error": str(error)}
    return 200, {}


def barriers(emulator, _name, _request):
    return 200, {name: {"waiting": barrier.waiting,
                        "open": barrier.opened.is_set()}
                 for name, barrier in emulator.barriers.items()}


def release(emulator, name, _request):
    emulator.barrier(name).opened.set()
    return 200, {}


def hold(emulator, name, _request):
    """Closes a barrier again."""
    emulator.barrier(name).opened.clear()
    return 200, {}


def reset(emulator, _name, _request):
    emulator.reset()
    return 200, {}


def now(_emulator, _name, _request):
    return 200, {"now": time.monotonic()}


ROUTES = {
    ("GET", "requests"): requests,
    ("DELETE", "requests"): forget,
    ("GET", "connections"): connections,
    ("GET", "scenarios"): scenarios,
    ("PUT", "scenarios"): install,
    ("GET", "barriers"): barriers,
    ("POST", "release"): release,
    ("POST", "hold"): hold,
    ("POST", "reset"): reset,
    ("GET", "now"): now,
}


async def serve(emulator, response):
    request = response.request
    kind, _, name = request.path[len("/_emulator/"):].partition("/")
    route = ROUTES.get((request.method, kind))
    status, body = route(emulator, name, request) if route \
        else (404, {"error": "no such control call"})
    await response.plain(status, json.dumps(body).encode("utf-8"))


