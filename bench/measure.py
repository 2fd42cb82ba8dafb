# SPDX-License-Identifier: Apache-2.0
"""What a server used, read from /proc, and what the load client saw.

CPU is user + system time of all processes of a server, the ended ones too:
on a machine that is shared, only that can be compared, not wall time.
"""
import json
import os
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    with open("/proc/%d/stat" % pid, "rb") as f:
        return f.read().rsplit(b")", 1)[1].split()


def tree(root):
    """The process and all that descend from it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(_stat(int(name))[1])
            except (OSError, IndexError):
                pass
    found = [root] if root in parents else []
    for pid in found:
        found.extend(p for p, parent in parents.items() if parent == pid)
    return found


def cpu_s(root):
    """CPU seconds of the tree; of ended children through their parent."""
    ticks = 0
    for pid in tree(root):
        try:
            fields = _stat(pid)
        except OSError:
            continue
        ticks += sum(int(n) for n in fields[11:15 if pid == root else 13])
    return ticks / TICKS


def memory_kb(root):
    """{"pss", "rss", "private"} of the tree in KiB."""
    total = {"pss": 0, "rss": 0, "private": 0}
    for pid in tree(root):
        try:
            with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
                lines = f.readlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(":")
            key = {"Pss": "pss", "Rss": "rss", "Private_Clean": "private",
                   "Private_Dirty": "private"}.get(name)
            if key:
                total[key] += int(value.split()[0])
    return total


def threads(root):
    return sum(len(os.listdir("/proc/%d/task" % p)) for p in tree(root))


class Profile:
    """perf on all processes of a server while a case runs."""

    def __init__(self, server, path):
        self.data, self.text = path + ".data", path + ".txt"
        pids = ",".join(str(p) for p in tree(server.process.pid))
        self.process = subprocess.Popen(
            ["perf", "record", "-q", "-F", "999", "-g", "-o", self.data, "-p",
             pids], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def finish(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        with open(self.text, "w", encoding="utf-8") as out:
            for sort in ("dso", "symbol"):
                subprocess.run(
                    ["perf", "report", "-i", self.data, "--stdio",
                     "--no-children", "-g", "none", "--percent-limit", "0.4",
                     "--sort", sort], stdout=out, check=False, timeout=120,
                    stderr=subprocess.DEVNULL)
        os.unlink(self.data)


class Load:
    """One run of the load client beside the server that it measures."""

    def __init__(self, program, server, args, limit_s):
        self.server = server
        self.limit_s = limit_s
        self.samples = []
        self.report = None
        self.peak = None
        self.args = [program, "--port", str(server.port), "--tick-ms", "250",
                     "--limit-ms", str(int(limit_s * 1000))]
        self.args += [str(a) for a in args]
        self.process = None
        self.cpu_before = self.cpu_after = 0.0

    def start(self):
        self.cpu_before = self.server.cpu_s()
        self.process = subprocess.Popen(self.args, stdout=subprocess.PIPE,
                                        text=True)
        return self

    def finish(self, settle_s=2.5):
        """Reads to the end; the server then has settle_s for what it does
        later (it writes a partial answer every two seconds)."""
        try:
            for line in self.process.stdout:
                self._take(json.loads(line))
            self.process.wait(10)
        finally:
            self.stop()
        if not self.report:
            raise RuntimeError("the load client ended without a report")
        time.sleep(settle_s)
        self.cpu_after = self.server.cpu_s()
        return self

    def wait_open(self, streams):
        """Until all are open, or some are lost and the others open."""
        for line in self.process.stdout:
            line = json.loads(line)
            self._take(line)
            if self.report or (line["started"] == streams and
                               line["live"] + line["finished"] == streams):
                return

    def end(self):
        """Ends a client that has no end of its own, and reads its report."""
        if not self.report:
            self.process.send_signal(signal.SIGTERM)
        self.finish(0)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def run(self, settle_s=2.5):
        return self.start().finish(settle_s)

    def _take(self, line):
        if line["type"] == "end":
            self.report = line
            return
        line["cpu_s"] = self.server.cpu_s()
        self.samples.append(line)
        is_steady = line["live"] and line["live"] == line["started"]
        # Looked at when all are open for the second time: reading the memory
        # map of a large process takes some milliseconds.
        if is_steady and not self.peak and len(self.steady()) > 4:
            self.peak = self.server.memory_kb()

    def steady(self):
        """The samples with every stream open and none finished yet."""
        most = max((s["live"] for s in self.samples), default=0)
        return [s for s in self.samples if s["live"] == most and
                s["live"] == s["started"] and not s["finished"]]

    def total_cpu_s(self):
        return self.cpu_after - self.cpu_before

    def cpu_per_million(self):
        """While all streams were open, when that was long enough to measure;
        else over the whole run."""
        steady = self.steady()
        if len(steady) >= 4:
            events = steady[-1]["events"] - steady[0]["events"]
            used = steady[-1]["cpu_s"] - steady[0]["cpu_s"]
            if events > 0 and used > 0.3:
                return used / events * 1e6
        return self.total_cpu_per_million()

    def total_cpu_per_million(self):
        if not self.report["events"]:
            return None
        return self.total_cpu_s() / self.report["events"] * 1e6
