# SPDX-License-Identifier: Apache-2.0
"""The servers of a run: upstream, httpd with the module, nginx, mod_proxy.

Each is started on a free port of 127.0.0.1 with a configuration of its own in
the run's directory, and ended by its process id.
"""
import base64
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import measure

SERVER_USER = "www-data"
WORKERS = 128  # of an httpd: two children of 64 threads


class NotPossible(Exception):
    """Something that the run needs is not there; the text says what."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def as_root():
    return os.geteuid() == 0


def give_to_server(path):
    if as_root():
        user = pwd.getpwnam(SERVER_USER)
        os.chown(path, user.pw_uid, user.pw_gid)


class Server:
    name = "server"

    def __init__(self, run):
        self.run = run
        self.port = free_port()
        self.process = None
        self.directory = os.path.join(run.directory, self.name)
        os.makedirs(self.directory, exist_ok=True)
        os.chmod(self.directory, 0o755)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def command(self):
        raise NotImplementedError

    def start(self):
        out = open(self.path("output"), "ab")
        with out:
            self.process = subprocess.Popen(
                self.command(), stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, cwd=self.directory,
                env=dict(os.environ, LC_ALL="C.UTF-8"))
        for _ in range(250):
            if self.process.poll() is not None:
                break
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        self.stop()
        raise NotPossible("%s did not start: %s" % (self.name, self.tail()))

    def tail(self):
        text = ""
        for name in ("output", "error.log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), errors="replace",
                          encoding="utf-8") as f:
                    text += f.read()[-1500:]
        return text.strip() or "no output"

    def stop(self):
        """Ends what start() began and nothing else."""
        if not self.process:
            return
        pids = measure.tree(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()

    def is_running(self):
        return self.process and self.process.poll() is None

    def cpu_s(self):
        return measure.cpu_s(self.process.pid)

    def memory_kb(self):
        return measure.memory_kb(self.process.pid)

    def threads(self):
        return measure.threads(self.process.pid)

    # What the load client must ask for.
    def request(self, case):
        """Arguments of the load client for the shape of a case."""
        return ["--dialect", "bailian", "--path",
                "/api/v1/apps/%s/completion" % case.shape, "--body",
                '{"input":{"prompt":"绿茶用多少度的水泡？"},'
                '"parameters":{"incremental_output":true},"debug":{}}']


class Upstream(Server):
    name = "upstream"

    def command(self):
        return [self.run.program("bench/bench_upstream"), "--port",
                str(self.port)]

    def get(self, path):
        url = "http://127.0.0.1:%d%s" % (self.port, path)
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()


class Nginx(Server):
    name = "nginx"

    CONFIG = """
daemon off;
worker_processes 2;
worker_rlimit_nofile {files};
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    upstream bailian {{ server 127.0.0.1:{upstream}; keepalive 512; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://bailian;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""

    def command(self):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        if not os.access(program, os.X_OK):
            raise NotPossible("nginx is not installed: nothing to compare "
                              "with (Debian package nginx)")
        config = self.write("nginx.conf", self.CONFIG.format(
            dir=self.directory, port=self.port, upstream=self.run.upstream.port,
            files=self.run.files, connections=min(self.run.files - 100, 40000)))
        return [program, "-p", self.directory, "-c", config,
                "-e", self.path("error.log")]


class Httpd(Server):
    """What both httpd servers have in common (httpd-async.md, section 3)."""

    MODULES = ("mpm_event", "authz_core")
    CONFIG = """
ServerRoot {dir}
ServerName 127.0.0.1
PidFile {dir}/httpd.pid
DefaultRuntimeDir {dir}
ErrorLog {dir}/error.log
LogLevel warn
Listen 127.0.0.1:{port}
{load}
{user}
StartServers 2
ServerLimit 4
ThreadsPerChild 64
MaxRequestWorkers {workers}
AsyncRequestWorkerFactor 85
MinSpareThreads 1
MaxSpareThreads 128
Timeout 60
ListenBacklog 4096
KeepAlive On
MaxKeepAliveRequests 0
Protocols http/1.1
<Directory "/">
    AllowOverride None
</Directory>
{more}
"""

    def modules(self):
        place = self.run.modules
        return "\n".join("LoadModule %s_module %s/mod_%s.so" % (m, place, m)
                         for m in self.MODULES)

    def command(self):
        user = "User {0}\nGroup {0}".format(SERVER_USER) if as_root() else ""
        config = self.write("httpd.conf", self.CONFIG.format(
            dir=self.directory, port=self.port, load=self.modules(), user=user,
            workers=WORKERS, more=self.more()))
        return [self.run.httpd, "-f", config, "-DFOREGROUND"]

    def more(self):
        raise NotImplementedError


class Proxy(Httpd):
    name = "mod_proxy"
    MODULES = Httpd.MODULES + ("proxy", "proxy_http")

    def more(self):
        return "ProxyPass / http://127.0.0.1:%d/ flushpackets=on" % (
            self.run.upstream.port)


class Module(Httpd):
    name = "module"

    CONFIG_MODULE = """
BailianDatabase {data}/bailian.db
BailianMasterKey {dir}/master.key
BailianMaxStreamsPerChild 5500
BailianMaxStreams 20000
BailianAllowNetwork 127.0.0.0/8
BailianAllowPlainHttp 127.0.0.1:{upstream}
<Location "/bailian">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianMaxStreamsPerPrincipal 20000
    BailianDisconnect detach 60s
</Location>
<Location "/cancel">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianMaxStreamsPerPrincipal 20000
    BailianDisconnect cancel
</Location>
"""

    def __init__(self, run):
        super().__init__(run)
        self.data = self.path("data")
        self.shapes = []

    def modules(self):
        return super().modules() + "\nLoadModule bailian_sse_module " + (
            self.module_file)

    def more(self):
        return self.CONFIG_MODULE.format(dir=self.directory, data=self.data,
                                         upstream=self.run.upstream.port)

    def ctl(self, *args, secret=None):
        done = subprocess.run(
            [self.run.program("bailianctl"), "--database",
             os.path.join(self.data, "bailian.db"), "--master-key",
             self.path("master.key"), *args],
            input=secret, text=True, timeout=30, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise NotPossible("bailianctl %s: %s" % (" ".join(args[:2]),
                                                     done.stdout.strip()))

    def prepare(self, shapes):
        """A new database with an app for every shape."""
        os.makedirs(self.data, exist_ok=True)
        os.chmod(self.data, 0o700)
        give_to_server(self.data)
        self.ctl("master-key", "create")
        self.ctl("db", "migrate")
        self.ctl("upstream", "add", "bench", "--kind", "bailian-app",
                 "--base-url",
                 "http://127.0.0.1:%d/api/v1" % self.run.upstream.port)
        self.ctl("key", "add", "--upstream", "bench", "--name", "bench",
                 secret="sk-benchmark0000000000000000000000\n")
        for number, shape in enumerate(sorted(set(shapes))):
            more = [] if number else ["--default"]
            self.ctl("app", "add", shape, "--upstream", "bench", "--app-id",
                     shape, "--incremental", "on", *more)
        for where, _, names in os.walk(self.data):
            give_to_server(where)
            for name in names:
                give_to_server(os.path.join(where, name))

    def request(self, case):
        base = "/cancel" if case.cancels else "/bailian"
        args = ["--dialect", "chat", "--path", base + "/stream", "--body",
                '{"message":"绿茶用多少度的水泡？","userId":"u%%n",'
                '"appId":"%s"}' % case.shape]
        return args + ["--resume-path",
                       base + "/streams/%s/events?userId=u%n"]

    def socket_request(self, case, is_idle):
        """The same for the client of WebSockets; an idle one asks nothing."""
        question = ('{"type":"CHAT_REQUEST","data":{"message":'
                    '"绿茶用多少度的水泡？","model":"%s"}}' % case.shape)
        return ["--dialect", "chat", "--path", "/bailian/ws?userId=u%n",
                "--body", "" if is_idle else question]


class Watched(Module):
    """The module with an admin page and mod_status beside it."""

    name = "watched"
    ADMIN = "bench:bench"
    HEARTBEAT_S = 10
    MODULES = Module.MODULES + ("authn_core", "authn_file", "auth_basic",
                                "authz_user", "status")
    CONFIG_ADMIN = """
BailianMaxWebSockets 20000
ExtendedStatus Off
<Location "/bailian">
    BailianWebSocketHeartbeat {heartbeat_s}s
</Location>
<Location "/server-status">
    SetHandler server-status
</Location>
<Location "/admin">
    SetHandler bailian-admin
    AuthType Basic
    AuthName "bench"
    AuthUserFile {dir}/admins
    Require valid-user
</Location>
"""

    def more(self):
        name, password = self.ADMIN.split(":")
        digest = base64.b64encode(hashlib.sha1(password.encode()).digest())
        give_to_server(self.write("admins", "%s:{SHA}%s\n" % (
            name, digest.decode())))
        return super().more() + self.CONFIG_ADMIN.format(
            dir=self.directory, heartbeat_s=self.HEARTBEAT_S)

    def workers_held(self):
        """Busy workers but the one that answers this."""
        url = "http://127.0.0.1:%d/server-status?auto" % self.port
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read().decode()
        busy = [line for line in text.splitlines()
                if line.startswith("BusyWorkers:")]
        return int(busy[0].split()[1]) - 1
