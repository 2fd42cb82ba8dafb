# SPDX-License-Identifier: Apache-2.0
"""The cases that need a server of their own: WebSockets, and the admin page.

That server has mod_status and an admin page; the others do without, so that
their figures are those of the module alone.
"""
import contextlib
import os
import time

import page
import servers
from rows import row

# How long idle sockets are looked at: each gets one heartbeat meanwhile.
LOOK_S = servers.Watched.HEARTBEAT_S


@contextlib.contextmanager
def watched(run):
    server = servers.Watched(run)
    server.module_file = run.module_file
    server.prepare(c.shape for c in run.plan.values())
    server.start()
    try:
        run.warm_up([server])
        yield server
        if not server.is_running():
            raise servers.NotPossible("%s ended: %s" % (server.name,
                                                        server.tail()))
    finally:
        server.stop()
        # The next case begins with a server of the same name.
        os.rename(server.directory, "%s-%d" % (server.directory, server.port))


def ask_over_socket(run, server):
    """One question on a new socket; the report of its client."""
    case = run.plan["idle_question"]
    return case.sockets(run, server, limit_s=30).run(0).report


def idle_figures(run, server):
    """What the server uses while nothing happens on its sockets."""
    idle_kb = server.idle_kb["pss"]
    held_kb = server.memory_kb()["pss"]
    busy, before = [], server.cpu_s()
    for _ in range(LOOK_S):
        time.sleep(1)
        busy.append(server.workers_held())
    cpu_s = server.cpu_s() - before
    question = ask_over_socket(run, server)
    return {"pss_kb_per_socket": (held_kb - idle_kb) /
            run.plan["idle_ws"].streams,
            "idle_cpu_s": cpu_s,
            "workers_held": sorted(busy)[len(busy) // 2],
            "workers_most": max(busy),
            "question_failed": question["failed_count"],
            "question_ms": question["duration"]["max_us"] / 1e3}


def idle_sockets(run, server):
    case = run.plan["idle_ws"]
    run.say("idle_ws: %d idle WebSockets" % case.streams)
    load = case.sockets(run, server, is_idle=True,
                        limit_s=case.seconds() + 180).start()
    try:
        load.wait_open(case.streams)
        time.sleep(2)
        figures = idle_figures(run, server)
        load.end()
    finally:
        load.stop()
    r = row("idle_ws", case, load)
    r.update(figures, heartbeats=load.report["heartbeats"])
    run.say("  %(whole)d open, %(failed)d lost %(failures)s, %(heartbeats)d "
            "heartbeats, %(pss_kb_per_socket).1f KB a socket, CPU "
            "%(idle_cpu_s).2f s, %(workers_held)d workers held "
            "(%(workers_most)d at most), a question in %(question_ms).0f ms" %
            r)
    if r["example"]:
        run.say("  " + r["example"])
    return r


def idle_ws(run):
    """Idle WebSockets; then as many answers over WebSocket as over SSE."""
    if not run.module_file:
        return []
    case = run.plan["active_ws"]
    with watched(run) as server:
        rows = [idle_sockets(run, server)]
        for name, begin in (("active_sse", case.load),
                            ("active_ws", case.sockets),
                            ("active_sse", case.load)):
            run.say("%s: %d answers of %d events" % (name, case.streams,
                                                     case.events))
            rows.append(row(name, case, begin(run, server).run()))
            run.say(run.brief(rows[-1]))
    return rows


def live_page(run):
    """Streams without, with and without somebody at the admin page."""
    if not run.module_file:
        return []
    case, rows = run.plan["live_page"], []
    with watched(run) as server:
        for name in ("live_alone", "live_page", "live_alone"):
            run.say("%s: %d streams of %d events" % (name, case.streams,
                                                     case.events))
            figures = None
            readers = page.Readers(server)
            if name == "live_page":
                readers.start()
            try:
                load = case.load(run, server).run()
            finally:
                if name == "live_page":
                    figures = readers.stop()
            rows.append(row(name, case, load))
            run.say(run.brief(rows[-1]))
            if figures:
                rows[-1]["page"] = figures
                run.say("  page: %s" % figures)
    return rows
