# SPDX-License-Identifier: Apache-2.0
"""What a round of a case becomes in the report."""


def row(case_name, case, load):
    """What every case reports of one round."""
    report = load.report
    idle = load.server.idle_kb
    per_stream = None
    if load.peak and case_name in ("paced", "many"):
        per_stream = (load.peak["pss"] - idle["pss"]) / case.streams
    return {
        "case": case_name, "server": load.server.name,
        "streams": case.streams, "events": report["events"],
        "whole": report["whole"], "failed": report["failed_count"],
        "failures": report["failed"], "statuses": report["statuses"],
        "example": report["example"], "sent_back": report["sent_back"],
        "live": max((s["live"] for s in load.samples), default=0),
        "wall_s": report["wall_s"], "events_per_s": report["events_per_s"],
        "cpu_s": load.total_cpu_s(),
        "cpu_per_million": load.cpu_per_million(),
        "total_cpu_per_million": load.total_cpu_per_million(),
        "client_cpu_s": report["client_cpu_s"],
        "delay": report["delay"], "gap": report["gap"],
        "first_event": report["first_event"], "pss_kb": load.peak,
        "pss_after_kb": load.server.memory_kb()["pss"],
        "pss_kb_per_stream": per_stream,
    }
