# SPDX-License-Identifier: Apache-2.0
"""server - one httpd in its own directory: configured, started, watched."""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

from . import build
from .logs import ErrorLog
from .polling import until

MODULES = """authn_core authn_file authz_core authz_user authz_host auth_basic
mime dir headers deflate setenvif alias rewrite reqtimeout status
socache_shmcb ssl http2"""
USER = "www-data"

CONFIG = """\
ServerRoot {dir}
ServerName localhost
DefaultRuntimeDir {dir}/run
PidFile {dir}/run/httpd.pid
ErrorLog {dir}/error_log
CustomLog {dir}/access_log "%h %u \\"%r\\" %>s %b %D %X"
LogLevel {log_level}
{load}
User {user}
Group {user}
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{tls_port}
Timeout {timeout}
KeepAliveTimeout 5
MaxKeepAliveRequests 0
{mpm_limits}
TypesConfig /dev/null
DocumentRoot {dir}/htdocs
<Directory {dir}/htdocs>
    Require all granted
</Directory>
SSLSessionCache shmcb:{dir}/run/ssl_cache(64000)
Protocols http/1.1
<VirtualHost 127.0.0.1:{tls_port}>
    ServerName localhost
    Protocols h2 http/1.1
    SSLEngine on
    SSLCertificateFile {cert}
    SSLCertificateKeyFile {key}
</VirtualHost>
{body}
"""

THREADED = """\
StartServers {children}
ServerLimit {server_limit}
ThreadLimit {threads}
ThreadsPerChild {threads}
MaxRequestWorkers {workers}
MinSpareThreads 1
MaxSpareThreads {workers}
MaxConnectionsPerChild {connections_per_child}
"""
PREFORK = """\
StartServers {children}
ServerLimit {workers}
MaxRequestWorkers {workers}
MinSpareServers 1
MaxSpareServers {workers}
MaxConnectionsPerChild {connections_per_child}
"""

DEFAULTS = {"mpm": "event", "children": 1, "threads": 32, "factor": 8,
            "timeout": 60, "connections_per_child": 0, "with_module": True,
            "faults": False, "kills": False, "nomem": False,
            "memory_limit": None, "server_limit": None,
            "log_level": "info bailian_sse:trace2", "extra": "",
            "locations": "", "global_extra": "",
            "network": "BailianAllowNetwork 127.0.0.0/8"}


class Settings(dict):
    """What tests may choose about a server; equal settings share one."""

    def __init__(self, **chosen):
        unknown = set(chosen) - set(DEFAULTS)
        assert not unknown, "unknown settings: %s" % sorted(unknown)
        super().__init__(DEFAULTS, **chosen)

    @property
    def key(self):
        return tuple(sorted(self.items()))


def reserve_port():
    """A bound socket that never listens: its port is given to nobody else by
    the kernel, httpd may listen there as often as it is started, and until it
    does the port refuses. Free again when the socket is closed."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    # Not before it is bound: it must not share what somebody else has.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


class Httpd:
    """A server directory; start() may be called again after stop()."""

    def __init__(self, settings, cert, body=""):
        self.settings = settings
        self.dir = tempfile.mkdtemp(prefix="bl-httpd-")
        os.chmod(self.dir, 0o755)
        self.cert = cert
        self.body = body
        self.reserved = [reserve_port(), reserve_port()]
        self.port, self.tls_port = (sock.getsockname()[1]
                                    for sock in self.reserved)
        self.process = None
        self.fresh_used = 0
        for name, mode in (("run", 0o755), ("htdocs", 0o755), ("data", 0o700),
                           ("reports", 0o777)):
            os.mkdir(self.path(name), mode)
            os.chmod(self.path(name), mode)
        owner = pwd.getpwnam(USER)
        os.chown(self.path("data"), owner.pw_uid, owner.pw_gid)
        self.faults = self.kills = None  # env/faults.py
        self.nomem = None  # env/nomem.py
        self.crashes = None  # the library of shim/crashes.c
        self.atomics = None  # the library of shim/atomics.c
        self.group = None  # env/group.py
        self.log = ErrorLog(self)

    def environment(self):
        found = build.httpd_environment(self.path("reports"))
        if self.crashes:
            found.update(LD_PRELOAD=self.crashes,
                         BL_REPORTS=self.path("reports"))
        if self.atomics:  # the sanitizer's library stays the first
            found["LD_PRELOAD"] += " " + self.atomics
        for words in filter(None, (self.faults, self.kills, self.nomem)):
            found = words.environment(found)
        return found

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # --- configuration ------------------------------------------------------
    def _load(self):
        names = ["mpm_" + self.settings["mpm"]] + MODULES.split()
        lines = ["LoadModule %s_module %s/mod_%s.so"
                 % (n, build.HTTPD_MODULES, n) for n in names]
        if self.settings["with_module"]:
            lines.append("LoadModule bailian_sse_module " + build.MODULE)
        return "\n".join(lines)

    def _mpm_limits(self):
        values = dict(self.settings)
        values["server_limit"] = values["server_limit"] or \
            max(values["children"] * 4, 8)
        values["workers"] = values["threads"] * values["children"]
        text = (PREFORK if values["mpm"] == "prefork" else THREADED).format(
            **values)
        if values["mpm"] == "event":
            text += "AsyncRequestWorkerFactor %s\n" % values["factor"]
        return text

    def configure(self, body=None):
        """Writes httpd.conf; a body replaces what was there before."""
        if body is not None:
            self.body = body
        log_level = self.settings["log_level"]
        if not self.settings["with_module"]:
            log_level = "info"
        with open(self.path("httpd.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(
                dir=self.dir, load=self._load(), user=USER, port=self.port,
                tls_port=self.tls_port, timeout=self.settings["timeout"],
                mpm_limits=self._mpm_limits(), cert=self.cert[0],
                key=self.cert[1], body=self.body, log_level=log_level))

    def command(self, *options):
        return [build.HTTPD, "-f", self.path("httpd.conf"), *options]

    def configtest(self):
        """(exit status, what it said)"""
        self.configure()
        done = subprocess.run(
            self.command("-t"), capture_output=True, text=True, timeout=300,
            env=build.httpd_environment(self.path("reports")), check=False)
        return done.returncode, done.stdout + done.stderr

    # --- life ---------------------------------------------------------------
    def start(self):
        self.configure()
        ready = self.log.count("resuming normal operations")
        with open(self.path("console"), "ab") as console:
            self.process = subprocess.Popen(
                (self.group.runner() if self.group else [])
                + build.runner(self.path("reports"), self.kills is not None)
                + self.command("-DFOREGROUND"), stdout=console,
                stderr=console, stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=self.environment())
        until(lambda: self.process.poll() is not None
              or self.log.count("resuming normal operations") > ready
              and self.answers(), 30, "httpd")
        assert self.process.poll() is None, \
            "httpd did not start:\n" + self.read("console") \
            + self.read("error_log")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2):
                return True
        except OSError:
            return False

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if number == signal.SIGTERM:
            # The event MPM closes the sockets that its workers serve; one
            # that is about to linger, or is given back to wait for its
            # client, says so.
            self.log.allow("AH03092:", "AH03093:", "AH10503:")
        os.kill(self.process.pid, number)

    def children(self):
        """Pids of the children, oldest first."""
        pid = self.process.pid
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def graceful(self):
        """USR1, and waits until the new generation is there."""
        before = self.log.count("resuming normal operations")
        self.signal(signal.SIGUSR1)
        until(lambda: self.log.count("resuming normal operations") > before,
              20, "the new generation")

    def graceful_stop(self):
        """WINCH: returns at once."""
        self.signal(signal.SIGWINCH)

    def wait_stopped(self, seconds=20):
        until(lambda: self.process.poll() is not None, seconds,
              "the end of httpd")

    def stop(self):
        """TERM. What does not end by itself is killed, and that is said."""
        if not self.is_running:
            return
        children = self.children()
        self.signal(signal.SIGTERM)
        try:
            self.wait_stopped()
        except AssertionError:
            for pid in children + [self.process.pid]:
                _kill(pid)
            raise

    def remove(self):
        for sock in self.reserved:
            sock.close()
        if self.group:
            self.group.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- what can be counted ------------------------------------------------
    def whole(self):
        """Whether each child is there and has its engine: one that is still
        starting would make every base line too low."""
        pids = self.children()
        return len(pids) >= self.settings["children"] and all(
            "bl-watchdog" in _threads_of(pid) for pid in pids)

    def base_line(self):
        """descriptors() of a server that has started."""
        until(self.whole, 30, "the last child")
        return self.descriptors()

    def descriptors(self):
        """Open descriptors of all children together."""
        return sum(len(os.listdir("/proc/%d/fd" % pid))
                   for pid in self.children())

    def threads(self):
        return sum(len(os.listdir("/proc/%d/task" % pid))
                   for pid in self.children())

    def resident_kb(self):
        total = 0
        for pid in self.children():
            with open("/proc/%d/statm" % pid, encoding="ascii") as file:
                total += int(file.read().split()[1]) * 4
        return total


def _threads_of(pid):
    """The names of a process's threads; none of one that has gone."""
    names = []
    for path in glob.glob("/proc/%d/task/*/comm" % pid):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                names.append(file.read().strip())
        except OSError:
            pass
    return names


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
