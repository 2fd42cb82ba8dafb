# SPDX-License-Identifier: Apache-2.0
"""The rows of a run against the numbers to reach, as text and Markdown."""

from reading import SWITCHES

MARK_BEGIN = "<!-- figures: written by bench/run.py --write-docs -->"
MARK_END = "<!-- end of figures -->"


NO_LIMIT = float("inf")

# design.md 9: so many microseconds where mod_proxy takes so many.
SHORT_US, SHORT_PROXY_US = 300, 114


class Goal:
    """One line of the table: what, the figure reached, pass and aim."""

    def __init__(self, what, value, limit, aim, text, base=None):
        self.what = what
        self.value = value      # None: not measured
        self.limit = limit
        self.aim = aim
        self.text = text        # format of one figure
        self.base = base        # what nginx did, as text

    def verdict(self):
        if self.value is None:
            return "not measured"
        if self.value <= self.aim:
            return "pass, aim reached"
        return "pass" if self.value <= self.limit else "FAIL"

    def cells(self):
        value = "–" if self.value is None else self.text % self.value
        limit = "–" if self.limit == NO_LIMIT else self.text % self.limit
        return [self.what, value, limit, self.text % self.aim,
                self.base or "", self.verdict()]


def of(rows, case, server):
    return [r for r in rows if r["case"] == case and r["server"] == server]


def mean(rows, *keys):
    """The mean of a figure over rounds; None when one of them lacks it."""
    values = []
    for r in rows:
        for key in keys:
            r = r.get(key) if r else None
        if r is None:
            return None
        values.append(r)
    return sum(values) / len(values) if values else None


def ratio(a, b):
    return a / b if a is not None and b else None


def difference(a, b):
    return a - b if a is not None and b is not None else None


def said(text, value):
    return None if value is None else text % value


def failed(rows):
    return sum(r["failed"] for r in rows) if rows else None


def not_live(rows):
    """Streams that failed, or that were not open with all others."""
    if not rows:
        return None
    return sum(r["failed"] + r["streams"] - r["live"] for r in rows)


def worst_gap(rows):
    """The longest silence any stream saw, in its event intervals."""
    if not rows:
        return None
    return max(r["gap"]["max_us"] / r["interval_us"] for r in rows)


def speed_goals(rows):
    paced_m, paced_n = of(rows, "paced", "module"), of(rows, "paced", "nginx")
    full = of(rows, "saturation", "module"), of(rows, "saturation", "nginx")
    short_m, short_n = of(rows, "short", "module"), of(rows, "short", "nginx")
    proxy = of(rows, "short", "mod_proxy")
    cpu = mean(paced_m, "cpu_per_million"), mean(paced_n, "cpu_per_million")
    delay = mean(paced_m, "delay", "p50_us"), mean(paced_n, "delay", "p50_us")
    fill = mean(full[0], "total_cpu_per_million"), mean(
        full[1], "total_cpu_per_million")
    answer = [mean(r, "cpu_us_per_answer") for r in (short_m, proxy, short_n)]
    base = [said(text, us) for text, us in zip(
        ("%.0f µs", "mod_proxy %.0f µs", "nginx %.0f µs"), answer)]
    return [
        Goal("CPU per event, paced, against nginx", ratio(*cpu), 1.5, 1.0,
             "%.2f ×", said("nginx %.2f s per million", cpu[1])),
        Goal("delay an event, p50, above nginx", difference(*delay), 100, 0,
             "%.0f µs", said("nginx %.0f µs", delay[1])),
        Goal("saturation, 16 events at once, CPU s per million", fill[0], 3.0,
             1.0, "%.2f s", said("nginx %.2f s", fill[1])),
        Goal("a short stored answer on a new connection, CPU against mod_proxy",
             ratio(*answer[:2]), SHORT_US / SHORT_PROXY_US, 1.0, "%.2f ×",
             ", ".join(b for b in base if b)),
    ]


def capacity_goals(rows):
    many = of(rows, "many", "module")
    per_stream = mean(many, "pss_kb_per_stream")
    streams = many[0]["streams"] if many else 10000
    return [
        Goal("%d streams, 2 children × 64 workers: failed" % streams,
             not_live(many), 0, 0, "%d",
             said("nginx %d", not_live(of(rows, "many", "nginx")))),
        Goal("memory a parked stream (PSS)", per_stream, 60, 47, "%.1f KB",
             said("nginx %.1f KB",
                  mean(of(rows, "many", "nginx"), "pss_kb_per_stream"))),
    ]


def socket_goals(rows):
    idle, active = of(rows, "idle_ws", "watched"), of(rows, "active_ws",
                                                      "watched")
    sse = mean(of(rows, "active_sse", "watched"), "total_cpu_per_million")
    count = idle[0]["streams"] if idle else 10000
    lost = sum(r["failed"] + r["question_failed"] for r in idle)
    return [
        Goal("memory an idle parked WebSocket", mean(idle, "pss_kb_per_socket"),
             48, 36, "%.1f KB"),
        Goal("%d idle WebSockets: lost" % count, lost if idle else None, 0, 0,
             "%d", said("a question meanwhile %.0f ms",
                        mean(idle, "question_ms"))),
        Goal("%d idle WebSockets: workers held" % count,
             mean(idle, "workers_held"), 0, 0, "%.0f",
             said("%.0f of 128 at most", mean(idle, "workers_most"))),
        Goal("%d idle WebSockets: CPU in 10 s" % count,
             mean(idle, "idle_cpu_s"), NO_LIMIT, 0.5, "%.2f s"),
        Goal("CPU per event, WebSocket against SSE",
             ratio(mean(active, "total_cpu_per_million"), sse), 1.5, 1.0,
             "%.2f ×", said("SSE %.2f s per million", sse)),
        Goal("%d active WebSockets: failed" % (
            active[0]["streams"] if active else 1000),
             failed(active), 0, 0, "%d",
             said("SSE %d", failed(of(rows, "active_sse", "watched")))),
    ]


def page_goals(rows):
    """The admin's live page beside running streams, and they beside it."""
    seen, alone = of(rows, "live_page", "watched"), of(rows, "live_alone",
                                                       "watched")
    delay = mean(seen, "delay", "p50_us"), mean(alone, "delay", "p50_us")
    count = seen[0]["streams"] if seen else 10000
    bad = failed(seen + alone)
    if seen:
        bad += sum(len(r["page"]["errors"]) for r in seen)
    silence = mean(seen, "page", "silence_ms", "max")
    events = mean(seen, "page", "row_silent_ms", "p99")
    told = mean(seen, "page", "streams_told")
    calls = mean(seen, "page", "call_ms", "count")
    again = mean(seen, "page", "reconnected")
    return [
        Goal("live feed beside %d streams: oldest news" % count,
             mean(seen, "page", "age_ms", "max"), 1000, 100, "%.0f ms",
             ", ".join(t for t in (
                 said("longest silence %.0f ms", silence),
                 said("rows' last event p99 %.0f ms", events),
                 said("told of %.0f streams", told)) if t)),
        Goal("live lists beside %d streams, p99" % count,
             mean(seen, "page", "call_ms", "p99"), 100, 50, "%.0f ms",
             ", ".join(t for t in (
                 said("%.0f calls", calls),
                 said("%.0f of them on a new connection", again)) if t)),
        Goal("delay of the streams, p50, with the live page",
             ratio(*delay), 1.25, 1.0, "%.2f ×",
             said("without %.0f µs", delay[1])),
        Goal("live page: streams and readers that failed", bad, 0, 0, "%d"),
    ]


def behaviour_goals(rows, memory):
    stalled = of(rows, "stall", "module")
    resumed = of(rows, "resume", "module")
    costs = [r for r in of(rows, "resume_cost", "module")
             if r.get("resume_share") is not None]
    aborted = of(rows, "abort", "module")
    gone = mean(aborted, "closed_ms", "p99")
    if aborted and any(r["never_closed"] for r in aborted):
        gone = float("inf")
    return [
        Goal("stalled readers: longest gap of another stream",
             worst_gap(stalled), 2, 1.5, "%.2f intervals",
             said("nginx %.2f", worst_gap(of(rows, "stall", "nginx")))),
        Goal("resumed and replayed answers that differ", failed(resumed), 0, 0,
             "%d", "%d losses, %d more sent back" % (
                 resumed[0]["resumed"], resumed[0]["sent_back"])
             if resumed else None),
        Goal("cost of a resume, of a stream's CPU",
             costs[0]["resume_share"] * 100 if costs else None, NO_LIMIT,
             1, "%.1f %%",
             said("%.0f µs each", costs[0]["cpu_us_per_resume"])
             if costs else None),
        Goal("client gone to upstream closed, p99", gone, 50, 10, "%.1f ms",
             said("nginx %.1f ms", mean(of(rows, "abort", "nginx"),
                                        "closed_ms", "p99"))),
        Goal("memory after the load, above idle", memory.get("module"), 10, 5,
             "%.1f %%", said("nginx %.1f %%", memory.get("nginx"))),
    ]


def reading_goals(rows):
    """Ways to read an answer, each against SSE in the same run."""
    sse = of(rows, "reading_sse", "module")
    base = mean(sse, "cpu_us_per_answer")
    found = []
    for case, what, most in (
            ("reading_poll", "by a poll every 500 ms", 2),
            ("reading_long_poll", "by long polls", 6)):
        got = of(rows, case, "module")
        found.append(Goal(
            "an answer read %s, CPU against SSE" % what,
            ratio(mean(got, "cpu_us_per_answer"), base), most, 1, "%.2f ×",
            said("SSE %.0f µs", base)))
    switched = of(rows, "reading_switch", "module")
    extra = difference(mean(switched, "cpu_us_per_answer"), base)
    found.append(Goal(
        "a switch of the transport in mid-answer, CPU",
        None if extra is None else extra / SWITCHES, 2000, 500, "%.0f µs"))
    found.append(Goal(
        "answers read in these ways: not whole", failed(
            [r for r in rows if r["case"].startswith("reading_")]), 0, 0,
        "%d"))
    return found


def goals(rows, memory):
    return (speed_goals(rows) + capacity_goals(rows) + socket_goals(rows) +
            page_goals(rows) + reading_goals(rows) +
            behaviour_goals(rows, memory))


def markdown_table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    out += ["| " + " | ".join(str(c) for c in line) + " |" for line in lines]
    return "\n".join(out)


def number(value, text="%.2f"):
    return "–" if value is None else text % value


def detail(rows):
    lines = []
    for r in rows:
        lines.append([
            r["case"], r["server"], r["streams"], r["events"], r["failed"],
            number(r["cpu_per_million"]), number(r["cpu_s"]),
            number(r["delay"]["p50_us"], "%.0f"),
            number(r["delay"]["p99_us"], "%.0f"),
            number(r["pss_kb_per_stream"], "%.1f"),
            number(r["events_per_s"], "%.0f"), number(r["client_cpu_s"])])
    return markdown_table(
        ["case", "server", "streams", "events", "failed", "CPU s / M events",
         "CPU s", "delay p50 µs", "delay p99 µs", "KB / stream", "events/s",
         "client CPU s"], lines)


def markdown(result):
    table = markdown_table(
        ["what", "reached", "pass", "aim", "same run", "verdict"],
        [g.cells() for g in goals(result["rows"], result["memory_percent"])])
    machine = result["machine"]
    return ("%s\n\nMeasured %s (%s) on %s, %d processors shared by servers, "
            "upstream and load client; load average before the run %.2f.\n\n"
            "%s\n\n### Every round\n\n%s\n" % (
                table, result["date"], result["form"], machine["kernel"],
                machine["processors"], machine["load_before"],
                machine["versions"], detail(result["rows"])))


def plain(markdown_text):
    """The same table for a terminal: columns of equal width."""
    lines = []
    for block in markdown_text.split("\n\n"):
        rows = [[c.strip() for c in line.strip("|").split("|")]
                for line in block.splitlines() if line.startswith("|")]
        if not rows:
            lines += [block, ""]
            continue
        rows = [rows[0]] + rows[2:]
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        lines += ["  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip()
                  for r in rows] + [""]
    return "\n".join(lines)


def write_docs(path, text):
    """Replaces what stands between the two marks of the page."""
    with open(path, encoding="utf-8") as f:
        page = f.read()
    begin = page.index(MARK_BEGIN) + len(MARK_BEGIN)
    end = page.index(MARK_END)
    with open(path, "w", encoding="utf-8") as f:
        f.write(page[:begin] + "\n\n" + text + "\n" + page[end:])
