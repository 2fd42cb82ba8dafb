# SPDX-License-Identifier: Apache-2.0
"""bailian_emulator - a Bailian that needs no key and fails on demand.

    python3 bailian_emulator.py --port 8090

It speaks the application and the native model API byte for byte as the
protocol page has them, answers any key that begins with "sk-", and runs the
scenarios of scenarios.py. README.md in this directory says how to drive it.
"""
import argparse
import asyncio
import collections
import json
import re
import signal
import ssl
import sys
import time
import traceback
import urllib.parse
import uuid

import answers
import control
import frames
import prose
import steps
from response import Response
from scenarios import LIBRARY
from wire import BadRequest, Connection, PeerGone

APP = re.compile(r"/apps/([^/]+)/completion$")
NATIVE = re.compile(
    r"/services/aigc/(text|multimodal)-generation/generation$")
SESSION_SECONDS = 3600
SESSION_ROUNDS = 50
KEPT_REQUESTS = 20000
KEPT_BODY = 64 * 1024
MODELS = ["qwen-plus", "qwen-max", "qwen-turbo", "qwen3-max", "deepseek-r1"]


class Refusal(Exception):
    """An answer that is an error document of section 7.1."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message,
                     "request_id": str(uuid.uuid4())}


class Barrier:
    def __init__(self):
        self.opened = asyncio.Event()
        self.waiting = 0


class Emulator:
    """All state that is shared by the connections."""

    def __init__(self, speed=1.0):
        self.interval = 0.04 / speed
        self.first_delay = 0.3 / speed
        self.connections = {}
        self.requests = collections.deque(maxlen=KEPT_REQUESTS)
        self.numbers = 0
        self.sessions = {}
        self.installed = {}
        self.attempts = collections.Counter()
        self.barriers = {}
        self.tasks = set()

    # --- connections --------------------------------------------------------
    def opened(self, conn):
        self.numbers += 1
        conn.number = self.numbers
        self.connections[conn.number] = conn
        task = asyncio.ensure_future(self.serve(conn))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def closed(self, conn):
        self.connections.pop(conn.number, None)

    async def serve(self, conn):
        try:
            while True:
                request = await conn.read_request()
                if request is None or not await self.exchange(conn, request):
                    break
        except (PeerGone, asyncio.CancelledError):
            pass
        except (BadRequest, ValueError):
            if not conn.is_gone:
                conn.transport.write(b"HTTP/1.1 400 Bad Request\r\n"
                                     b"content-length: 0\r\n"
                                     b"connection: close\r\n\r\n")
        if conn.closed_by != "emulator-reset":
            conn.close()

    async def exchange(self, conn, request):
        """One request; False when the connection must end."""
        if request.path.startswith("/_emulator/"):
            response = Response(conn, request, self.new_record(conn, request))
            await control.serve(self, response)
            return response.can_keep_alive
        record = self.new_record(conn, request)
        self.requests.append(record)
        response = Response(conn, request, record)
        try:
            await self.route(request, response)
        except Refusal as refusal:
            await response.plain(refusal.status,
                                 frames.dumps(refusal.body).encode())
        except PeerGone:
            pass
        except Exception:
            record["failed"] = traceback.format_exc()
            print(record["failed"], file=sys.stderr, flush=True)
            conn.reset()
        finally:
            self.close_record(conn, record)
        return response.can_keep_alive and not conn.is_gone

    # --- records ------------------------------------------------------------
    def new_record(self, conn, request):
        return {"at": time.monotonic(), "connection": conn.number,
                "method": request.method, "path": request.path,
                "target": request.target, "headers": request.headers,
                "body": request.body[:KEPT_BODY].decode("utf-8", "replace"),
                "tls": conn.is_tls, "app": None, "scenario": None,
                "attempt": None, "status": None, "sent": 0, "events": 0,
                "state": "open", "ended_by": None, "ended_at": None,
                "_connection": conn}

    def close_record(self, conn, record):
        record["state"] = "closed"
        record["ended_by"] = conn.closed_by or "emulator-end"
        record["ended_at"] = conn.closed_at or time.monotonic()

    # --- routes -------------------------------------------------------------
    async def route(self, request, response):
        app = APP.search(request.path)
        native = NATIVE.search(request.path)
        if request.path.endswith("/compatible-mode/v1/models"):
            return await self.models(request, response, True)
        if request.path.endswith("/api/v1/models"):
            return await self.models(request, response, False)
        if not app and not native:
            raise Refusal(404, "NotFound", "Not Found!")
        if request.method != "POST":
            raise Refusal(405, "MethodNotAllowed", "method not supported")
        self.check_key(request)
        body = self.parse(request)
        name = urllib.parse.unquote(app.group(1)) if app \
            else str(body.get("model", ""))
        response.record["app"] = name
        await self.complete(request, response, name, body)

    def check_key(self, request):
        kind, _, key = request.header("authorization").partition(" ")
        if kind.lower() != "bearer" or not key.startswith("sk-") \
                or "bad" in key:
            raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")

    def parse(self, request):
        try:
            body = json.loads(request.body)
        except ValueError:
            raise Refusal(400, "InvalidParameter",
                          "request body is not valid JSON") from None
        if not isinstance(body, dict) \
                or not isinstance(body.get("input"), dict):
            raise Refusal(400, "InvalidParameter", "Required parameter(input) "
                          "missing or invalid, please check the request "
                          "parameters.")
        return body

    async def models(self, request, response, compatible):
        try:
            self.check_key(request)
        except Refusal as refusal:
            if not compatible:
                raise
            await response.plain(401, frames.dumps({
                "error": {"message": "Incorrect API key provided.",
                          "type": "invalid_request_error", "param": None,
                          "code": "invalid_api_key"},
                "request_id": refusal.body["request_id"]}).encode())
            return
        if compatible:
            body = {"object": "list", "data": [
                {"id": name, "object": "model", "created": 1700000000,
                 "owned_by": "system"} for name in MODELS]}
        else:
            body = self.native_models(request)
        await response.plain(200, frames.dumps(body).encode())

    @staticmethod
    def native_models(request):
        wanted = request.query.get("model")
        names = [n for n in MODELS if wanted in (None, n)]
        size = int(request.query.get("page_size", "10"))
        page = int(request.query.get("page_no", "1"))
        shown = names[(page - 1) * size:page * size]
        return {"request_id": str(uuid.uuid4()), "output": {
            "total": len(names), "page_no": page, "page_size": size,
            "models": [{"model": n, "name": n} for n in shown]}}

    # --- a completion -------------------------------------------------------
    async def complete(self, request, response, name, body):
        prompt, earlier = self.question(body["input"])
        mode = answers.Mode.of_request(request.path, body)
        streaming = request.header("x-dashscope-sse") == "enable" \
            or "text/event-stream" in request.header("accept")
        scenario = self.scenario_of(request, response.record, name)
        session, asked = self.session(body["input"], prompt)
        run = steps.Run(self, response, mode, prompt, session,
                        prose.answer(prompt, earlier + asked))
        if scenario is not None:
            await run.all(scenario)
            return
        if "denied" in name:
            raise Refusal(403, "App.AccessDenied", "App access denied.")
        if not prompt:
            raise Refusal(400, "InvalidParameter", "Required parameter(prompt)"
                          " missing or invalid, please check the request "
                          "parameters.")
        if mode.flow not in answers.FLOWS:
            raise Refusal(400, "InvalidParameter", "flow_stream_mode")
        thinks = (body.get("parameters") or {}).get("enable_thinking") is True
        if streaming:
            await run.all([{"answer": {"thinking": thinks}}])
            return
        if mode.native and mode.incremental:
            raise Refusal(400, "InvalidParameter", "parameter "
                          "incremental_output only support stream call")
        await self.conn_wait(response)
        whole = answers.whole(run.answer, run.text,
                              prose.thinking(prompt) if thinks else "")
        await response.plain(200, frames.dumps(whole).encode())

    async def conn_wait(self, response):
        await response.conn.wait(self.first_delay)

    @staticmethod
    def question(given):
        """The prompt and the user's earlier questions in messages."""
        messages = given.get("messages") or []
        asked = []
        for message in messages:
            content = message.get("content", "")
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            if message.get("role") == "user":
                asked.append(str(content))
        if asked:
            return asked[-1], asked[:-1]
        return str(given.get("prompt") or ""), []

    def session(self, given, prompt):
        """Its id and the questions asked before; an unknown or expired id
        begins a new one. messages wins over session_id."""
        now = time.monotonic()
        known = None if given.get("messages") \
            else self.sessions.get(given.get("session_id"))
        if known is not None and now - known["used"] > SESSION_SECONDS:
            known = None
        if known is None:
            known = {"id": uuid.uuid4().hex, "asked": []}
            self.sessions[known["id"]] = known
            self.expire_sessions(now)
        known["used"] = now
        earlier = list(known["asked"])
        known["asked"] = (earlier + [prompt])[-SESSION_ROUNDS:]
        return known["id"], earlier

    def expire_sessions(self, now):
        """Looks at the oldest only: dicts keep the order of insertion."""
        while len(self.sessions) > KEPT_REQUESTS:
            del self.sessions[next(iter(self.sessions))]
        oldest = self.sessions[next(iter(self.sessions))]
        if now - oldest.get("used", now) > SESSION_SECONDS:
            del self.sessions[oldest["id"]]

    # --- scenarios ----------------------------------------------------------
    def scenario(self, name):
        return self.installed.get(name, LIBRARY.get(name))

    def scenario_of(self, request, record, app):
        """The steps that this request shall get, or None."""
        wanted = request.header("x-emulator-scenario")
        if wanted.startswith("{"):
            inline = json.loads(wanted)
            steps.check(inline)
            return steps.attempt_steps(inline, 1)
        if not wanted and app.startswith("scenario-"):
            wanted = app[len("scenario-"):]
        if not wanted and app.startswith("fixture-"):
            return [{"fixture": app[len("fixture-"):]}]
        if not wanted:
            return None
        found = self.scenario(wanted)
        if found is None:
            raise Refusal(400, "InvalidParameter",
                          "no scenario %r" % wanted)
        self.attempts[wanted] += 1
        record["scenario"] = wanted
        record["attempt"] = self.attempts[wanted]
        return steps.attempt_steps(found, self.attempts[wanted])

    def install(self, name, scenario):
        steps.check(scenario)
        self.installed[name] = scenario
        self.attempts[name] = 0

    def barrier(self, name):
        return self.barriers.setdefault(name, Barrier())

    def reset(self):
        """Back to the library: what one test leaves no other finds."""
        self.installed.clear()
        self.attempts.clear()
        self.requests.clear()
        self.sessions.clear()
        for barrier in self.barriers.values():
            barrier.opened.set()
        self.barriers.clear()


def tls_context(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def listen(emulator, options):
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(lambda: Connection(emulator),
                                     options.host, options.port, backlog=1024)
    servers = [plain]
    ready = "ready http://%s:%d" % plain.sockets[0].getsockname()[:2]
    if options.tls_port is not None:
        secure = await loop.create_server(
            lambda: Connection(emulator), options.host, options.tls_port,
            backlog=1024, ssl=tls_context(options.cert, options.key))
        servers.append(secure)
        ready += " https://%s:%d" % secure.sockets[0].getsockname()[:2]
    print(ready, flush=True)
    return servers


async def run(options):
    emulator = Emulator(options.speed)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    servers = await listen(emulator, options)
    await stopped.wait()
    for server in servers:
        server.close()
    for conn in list(emulator.connections.values()):
        conn.transport.abort()
    for task in list(emulator.tasks):
        task.cancel()
    await asyncio.gather(*emulator.tasks, return_exceptions=True)


def main():
    parser = argparse.ArgumentParser(
        description="An emulator of the Bailian API for tests and demos.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090,
                        help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--tls-port", type=int)
    parser.add_argument("--cert", help="certificate chain for --tls-port")
    parser.add_argument("--key", help="its private key")
    parser.add_argument("--speed", type=float, default=1.0,
                        help="10 answers ten times as fast")
    options = parser.parse_args()
    if options.tls_port is not None and not (options.cert and options.key):
        parser.error("--tls-port needs --cert and --key")
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
