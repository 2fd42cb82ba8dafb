# SPDX-License-Identifier: Apache-2.0
"""The cases of the benchmark: what is asked for and what is made of it.

Every case returns rows for the report: one dictionary a server and round. The
table of design.md section 9 is made from them in report.py.
"""
import json
import time

import measure
import reading
import sockets
from rows import row


class Case:
    """A shape of answers and how many of them."""

    def __init__(self, events, interval_us, batch, streams, **more):
        self.events = events
        self.interval_us = interval_us
        self.batch = batch
        self.streams = streams
        self.text_bytes = more.get("text_bytes", 24)
        self.requests = more.get("requests", streams)
        self.ramp_ms = more.get("ramp_ms", 0)
        self.cancels = more.get("cancels", False)

    @property
    def shape(self):
        return "b-%d-%d-%d-%d" % (self.events, self.interval_us, self.batch,
                                  self.text_bytes)

    def seconds(self):
        """How long one round should take when nothing is late."""
        return self.events * self.interval_us / self.batch / 1e6 + (
            self.ramp_ms / 1e3)

    def client(self, program, server, args, limit_s):
        args = args + [
            "--events", self.events, "--text-bytes", self.text_bytes,
            "--streams", self.streams, "--requests", self.requests]
        if self.ramp_ms:
            args += ["--ramp-ms", self.ramp_ms]
        limit_s = limit_s or self.seconds() * 1.5 + 30
        return measure.Load(program, server, args, limit_s)

    def load(self, run, server, *more, limit_s=None):
        return self.client(run.program("bench/bench_load"), server,
                           server.request(self) + list(more), limit_s)

    def sockets(self, run, server, is_idle=False, limit_s=None):
        """The same answers over WebSockets, or as many that ask nothing."""
        return self.client(run.program("bench/bench_ws"), server,
                           server.socket_request(self, is_idle), limit_s)


def plan(is_quick):
    """The cases by name; the quick form is smaller, never different."""
    if is_quick:
        return {
            "paced": Case(100, 50000, 1, 300, ramp_ms=1000),
            "many": Case(40, 200000, 1, 2000, ramp_ms=3000),
            "saturation": Case(2000, 0, 16, 256),
            "short": Case(50, 0, 50, 8, requests=2000),
            "resume": Case(60, 50000, 1, 100, ramp_ms=500),
            "resume_cost": Case(100, 50000, 1, 300, ramp_ms=1000),
            "abort": Case(200, 50000, 1, 100, ramp_ms=1000, cancels=True),
            "stall": Case(2000000, 1000, 16, 4, text_bytes=999),
            "bystander": Case(50, 100000, 1, 100, ramp_ms=500),
            "idle_ws": Case(50, 0, 50, 1000, ramp_ms=2000),
            "idle_question": Case(50, 0, 50, 1),
            "active_ws": Case(100, 50000, 1, 200, ramp_ms=1000),
            "live_page": Case(40, 200000, 1, 1000, ramp_ms=3000),
            "reading": Case(50, 100000, 1, 50, ramp_ms=1000),
        }
    return {
        "paced": Case(240, 50000, 1, 1000, ramp_ms=2000),
        "many": Case(110, 200000, 1, 10000, ramp_ms=10000),
        "saturation": Case(8000, 0, 16, 256),
        "short": Case(50, 0, 50, 8, requests=6000),
        "resume": Case(120, 50000, 1, 300, ramp_ms=1000),
        "resume_cost": Case(240, 50000, 1, 1000, ramp_ms=2000),
        "abort": Case(400, 50000, 1, 500, ramp_ms=2000, cancels=True),
        "stall": Case(2000000, 1000, 16, 20, text_bytes=999),
        "bystander": Case(80, 100000, 1, 200, ramp_ms=1000),
        "idle_ws": Case(50, 0, 50, 10000, ramp_ms=15000),
        "idle_question": Case(50, 0, 50, 1),
        "active_ws": Case(240, 50000, 1, 1000, ramp_ms=2000),
        "live_page": Case(110, 200000, 1, 10000, ramp_ms=10000),
        "reading": Case(100, 100000, 1, 200, ramp_ms=2000),
    }


def alternate(run, name, servers):
    """A, B, A: what the machine does beside us meets both."""
    case, rows = run.plan[name], []
    for server in servers:
        run.say("%s, %s: %d streams of %d events" % (
            name, server.name, case.streams, case.events))
        profile = run.profile(name, server)
        load = case.load(run, server).run()
        if profile:
            profile.finish()
        rows.append(row(name, case, load))
        run.say(run.brief(rows[-1]))
    return rows


def paced(run):
    rounds = run.a_b_a()
    if not run.options.quick:
        rounds += 3 * rounds[1:]  # one round differs from the next by 5 %
    return alternate(run, "paced", [run.upstream] + rounds)


def many(run):
    # One round each: 10,000 streams on a small machine take their time.
    return alternate(run, "many", run.a_b())


def saturation(run):
    return alternate(run, "saturation", run.a_b_a())


def short(run):
    """One 50-event answer a connection, stored."""
    order = [run.module, run.proxy, run.nginx, run.proxy, run.module]
    if not run.options.quick:
        order += order[1:]
    rows = alternate(run, "short", [server for server in order if server])
    for r in rows:
        if r["whole"]:
            r["cpu_us_per_answer"] = r["cpu_s"] / r["whole"] * 1e6
    return rows


def resume(run):
    """Three losses a stream, then a replay of it all, byte for byte; and what
    ten losses a stream cost beside the same streams with none."""
    if not run.module:
        return []
    case = run.plan["resume"]
    each = case.events // 4
    load = case.load(run, run.module, "--behave", "resume", "--after", each,
                     "--times", 3, "--replay").run()
    rows = [row("resume", case, load)]
    for key in ("resumed", "replayed"):
        rows[0][key] = load.report[key]
    run.say(run.brief(rows[0]))
    rows += resume_cost(run)
    return rows


def resume_cost(run):
    case = run.plan["resume_cost"]
    each = case.events // 12
    rows = []
    for times in (0, 10, 0):
        more = ["--behave", "resume", "--after", each, "--times", times]
        load = case.load(run, run.module, *(more if times else [])).run()
        rows.append(row("resume_cost", case, load))
        rows[-1]["resumed"] = load.report["resumed"]
        run.say(run.brief(rows[-1]))
    plain = (rows[0]["cpu_s"] + rows[2]["cpu_s"]) / 2
    resumed = rows[1]["resumed"]
    if resumed and plain:
        extra = rows[1]["cpu_s"] - plain
        rows[1]["cpu_us_per_resume"] = extra / resumed * 1e6
        # Of a stream that is lost once.
        rows[1]["resume_share"] = extra / plain / 10
    return rows


def abort(run):
    """Client gone, policy cancel: when does the upstream connection close?"""
    rows, case = [], run.plan["abort"]
    for server in run.a_b():
        json.loads(run.upstream.get("/closes"))
        load = case.load(run, server, "--behave", "abort", "--after",
                         case.events // 4).run()
        closed = dict(json.loads(run.upstream.get("/closes")))
        delays = sorted((closed[stream] - at) / 1e6
                        for stream, at in load.report["aborts"]
                        if stream in closed)
        r = row("abort", case, load)
        r["aborted"] = load.report["aborted"]
        r["never_closed"] = len(load.report["aborts"]) - len(delays)
        if delays:
            r["closed_ms"] = {"p50": delays[len(delays) // 2],
                              "p99": delays[int(len(delays) * 0.99)],
                              "max": delays[-1]}
        rows.append(r)
        run.say(run.brief(r))
    return rows


def stall(run):
    """Readers that never read beside readers that do."""
    rows, case, slow = [], run.plan["bystander"], run.plan["stall"]
    for server in run.a_b():
        for with_stalled in (False, True):
            stalled = None
            if with_stalled:
                stalled = slow.load(run, server, "--behave", "stall",
                                    "--receive-buffer", 4096,
                                    limit_s=case.seconds() + 4).start()
                time.sleep(1)
            try:
                load = case.load(run, server).run(0.5)
            finally:
                if stalled:
                    stalled.finish(0)
            r = row("stall" if with_stalled else "bystander", case, load)
            r["interval_us"] = case.interval_us
            rows.append(r)
            run.say(run.brief(r))
    return rows


ALL = [paced, many, saturation, short, resume, abort, stall,
       sockets.idle_ws, sockets.live_page, reading.reading]
