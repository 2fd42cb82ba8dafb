#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: httpd with the module against nginx as a plain streaming proxy.

Starts its own upstream, httpd, nginx and load clients on 127.0.0.1, runs every
case against both in turn, prints the table of docs/benchmarks.md and writes
JSON and Markdown. All of it shares the machine: figures are CPU seconds of the
server's processes and their ratio, not wall time.
"""
import argparse
import copy
import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import cases  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

REST_S = 120  # before idle memory is looked at, and memory after the load
QUICK_REST_S = 20


def raise_files(wanted=65536):
    """As many open files as the process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((wanted, wanted), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return limit[0]
        except (ValueError, OSError):
            continue
    return soft


class Run:
    def __init__(self, options):
        self.options = options
        self.plan = cases.plan(options.quick)
        self.rest_s = QUICK_REST_S if options.quick else REST_S
        self.files = raise_files()
        self.httpd = options.httpd
        self.modules = options.modules
        self.module_file = self.find_module()
        self.directory = tempfile.mkdtemp(prefix="bailian-bench-",
                                          dir=options.directory)
        os.chmod(self.directory, 0o755)
        self.began = time.monotonic()
        self.upstream = self.nginx = self.module = self.proxy = None

    def find_module(self):
        if self.options.no_module:
            return None
        return os.path.abspath(os.path.join(self.options.built, ".libs",
                                            "mod_bailian_sse.so"))

    def program(self, name):
        path = os.path.abspath(os.path.join(self.options.built, name))
        if not os.access(path, os.X_OK):
            raise servers.NotPossible("%s is not built" % path)
        return path

    def say(self, text):
        print("[%5.1f s] %s" % (time.monotonic() - self.began, text),
              flush=True)

    @staticmethod
    def brief(r):
        text = "  %d whole, %d failed %s, CPU %.2f s" % (
            r["whole"], r["failed"], r["failures"] or "", r["cpu_s"])
        if r["cpu_per_million"]:
            text += ", %.2f s per million events" % r["cpu_per_million"]
        text += ", delay p50 %.0f p99 %.0f µs, longest gap %.0f ms" % (
            r["delay"]["p50_us"], r["delay"]["p99_us"],
            r["gap"]["max_us"] / 1e3)
        text += ", %.0f MB held after" % (r["pss_after_kb"] / 1024)
        if r["pss_kb_per_stream"]:
            text += ", %.1f KB a stream" % r["pss_kb_per_stream"]
        if r.get("closed_ms"):
            text += ", upstream closed p50 %(p50).1f p99 %(p99).1f ms" % (
                r["closed_ms"])
        if r["sent_back"]:
            text += ", %d sent back" % r["sent_back"]
        return text + ("; " + r["example"] if r["example"] else "")

    def profile(self, name, server):
        if not self.options.profile or server is self.upstream:
            return None
        return measure.Profile(server, "%s-%s-%s" % (
            self.options.out, name, server.name))

    def a_b(self):
        return [s for s in (self.module, self.nginx) if s]

    def a_b_a(self):
        return self.a_b() + [s for s in (self.module,) if s]

    def start(self):
        self.upstream = servers.Upstream(self).start()
        self.nginx = servers.Nginx(self).start()
        self.proxy = servers.Proxy(self).start()
        if self.module_file:
            if not os.path.exists(self.module_file):
                raise servers.NotPossible("%s is not built" % self.module_file)
            module = servers.Module(self)
            module.module_file = self.module_file
            module.prepare(c.shape for c in self.plan.values())
            self.module = module.start()
        self.warm_up(self.all(), self.rest_s)

    def all(self):
        return [s for s in (self.upstream, self.nginx, self.proxy, self.module)
                if s]

    def warm_up(self, those, rest_s=QUICK_REST_S):
        """Answers for every worker, so that idle means ready and not
        untouched: a thread that never worked has no stack and no heap yet,
        and code that was never run is not in memory. What the burst took for
        its own time goes back before idle is looked at."""
        short, resumed = self.plan["short"], copy.copy(self.plan["resume"])
        resumed.streams = resumed.requests = servers.WORKERS
        for server in those:
            self.warm_up_by(server, cases.Case(short.events, 0, 50,
                                               servers.WORKERS, requests=2000))
            if isinstance(server, servers.Module):
                self.warm_up_by(server, resumed, "--behave", "resume",
                                "--after", resumed.events // 4, "--times", 3,
                                "--replay")
        self.say("waiting %d s, then looking at what idle is" % rest_s)
        time.sleep(rest_s)
        for server in those:
            server.idle_kb = server.memory_kb()

    def warm_up_by(self, server, case, *more):
        said = case.load(self, server, *more).run().report
        if said["failed_count"]:
            raise servers.NotPossible("%s fails the warm-up: %s %s; %s" % (
                server.name, said["failed"], said["example"], server.tail()))

    def stop(self):
        for server in reversed(self.all()):
            server.stop()
        if not self.options.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def memory_after(self):
        """How much more than idle each server holds after the load, in %."""
        self.say("waiting %d s, then looking at what memory is left" %
                 self.rest_s)
        time.sleep(self.rest_s)
        percent = {}
        for server in self.a_b():
            now = server.memory_kb()["pss"]
            percent[server.name] = 100.0 * (now / server.idle_kb["pss"] - 1)
            self.say("  %s: %.1f MB idle, %.1f MB now (%+.1f %%), %d threads" %
                     (server.name, server.idle_kb["pss"] / 1024, now / 1024,
                      percent[server.name], server.threads()))
        return percent

    def measure(self):
        rows = []
        for case in cases.ALL:
            if self.options.only and case.__name__ not in self.options.only:
                continue
            rows += case(self)
            for server in self.all():
                if not server.is_running():
                    raise servers.NotPossible("%s ended: %s" % (
                        server.name, server.tail()))
        return rows


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT, text=True, timeout=10)
        return done.stdout.splitlines()[0].strip()
    except (OSError, IndexError):
        return ""


def machine(run, load_before):
    return {
        "kernel": "%s %s" % (platform.system(), platform.release()),
        "processors": os.cpu_count(), "load_before": load_before,
        "versions": "%s; %s." % (
            first_line(run.httpd, "-v").replace("Server version: ", ""),
            first_line("nginx", "-v").replace("nginx version: ", "")),
    }


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--built", default=".", help="build directory")
    parser.add_argument("--httpd", default="/usr/sbin/apache2")
    parser.add_argument("--modules", default="/usr/lib/apache2/modules")
    parser.add_argument("--quick", action="store_true", help="4 minutes")
    parser.add_argument("--full", action="store_true", help="15 minutes, the "
                        "default")
    parser.add_argument("--only", nargs="+", metavar="CASE", help=", ".join(
        c.__name__ for c in cases.ALL) + ", after")
    parser.add_argument("--no-module", action="store_true",
                        help="only the servers it is compared with")
    parser.add_argument("--directory", default="/var/tmp",
                        help="where the run's directory is made: on a disk")
    parser.add_argument("--out", default="bench-result",
                        help="writes <out>.json and <out>.md")
    parser.add_argument("--write-docs", action="store_true",
                        help="puts the figures into docs/benchmarks.md")
    parser.add_argument("--profile", action="store_true",
                        help="perf beside the paced, many, saturation and "
                        "short cases: <out>-<case>-<server>.txt")
    parser.add_argument("--keep", action="store_true",
                        help="keeps the run's directory")
    return parser.parse_args(arguments)


def save(options, result):
    text = report.markdown(result)
    with open(options.out + ".json", "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
    with open(options.out + ".md", "w", encoding="utf-8") as f:
        f.write(text)
    if options.write_docs:
        report.write_docs(os.path.join(HERE, "..", "docs", "benchmarks.md"),
                          text)
    print("\n" + report.plain(text))


def main():
    options = options_of(sys.argv[1:])
    if not shutil.which("nginx") and not os.path.exists("/usr/sbin/nginx"):
        print("skipped: nginx is not installed, so there is nothing to compare "
              "with (Debian package nginx)")
        return 0
    load_before = os.getloadavg()[0]
    run = Run(options)
    try:
        run.start()
        rows = run.measure()
        is_wanted = not options.only or "after" in options.only
        memory = run.memory_after() if is_wanted else {}
    except servers.NotPossible as e:
        print("bench: %s" % e, file=sys.stderr)
        return 1
    finally:
        run.stop()
    result = {
        "date": datetime.date.today().isoformat(),
        "form": "quick" if options.quick else "full",
        "machine": machine(run, load_before), "rows": rows,
        "memory_percent": memory,
    }
    save(options, result)
    verdicts = [g.verdict() for g in report.goals(rows, memory)]
    return 1 if run.module and "FAIL" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
