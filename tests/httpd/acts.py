# SPDX-License-Identifier: Apache-2.0
"""acts - what a client or an admin does, for tests in which memory fails (R02).

An act is a generator. What it does before its first `yield` is made ready with
memory enough; what comes behind it is done while an allocation fails, and is
whole or a refusal that the act's dialect knows; behind a second `yield` there
is memory again, and nothing may be half done.
"""
import json
import urllib.parse
import uuid

from answers import TEA, TEA_BEGIN, TEA_TEXT, last, piece
from env import canary, raw
from env.admin import LI, Admin
from env.callers import KEY_FILE, bearer, jwt
from env.polling import until
from env.sse import Stream
from env.ws import Socket, Talk

LOCATIONS = """
<Location "/jwt">
    SetHandler bailian-sse
    BailianJwtIssuer shop HS256 %s
</Location>
<Location "/tokens">
    SetHandler bailian-sse
</Location>
""" % KEY_FILE
# What somebody is told who asked when there was no memory (fault-matrix.md).
REFUSALS = {"internal": 500, "overloaded": 503, "store_unavailable": 503}
SECONDS = 60
KEY_SECRET = "sk-r02-canary-77aa12"
ACTS = {}


def act(function):
    ACTS[function.__name__] = function
    return function


class World:
    """One run of one act. `is_fed`: there is memory, nothing may be refused."""

    def __init__(self, env, is_fed):
        self.env = env
        self.is_fed = is_fed
        self.is_told_stop = False
        self.user = "r02-" + uuid.uuid4().hex
        self.refused = []
        self.others = ()  # what else somebody may be told

    # --- what came --------------------------------------------------------
    def refusal(self, code, what):
        assert not self.is_fed, ("refused with memory enough", code, what)
        assert code in REFUSALS or code in self.others, (code, what)
        self.refused.append(code)

    def is_done(self, reply, *statuses):
        """One of these, or a problem document that says why not."""
        assert reply.ended in ("clean", "close"), reply.ended
        for secret in (canary.API_KEY, canary.PASSWORD, KEY_SECRET):
            assert secret.encode() not in reply.body
        if reply.status in (statuses or (200,)):
            return True
        assert reply.status >= 500, (reply.status, reply.body)
        code = reply.json()["code"]
        self.refusal(code, reply.body)
        assert reply.status == REFUSALS[code], reply.status
        assert reply.status != 503 or reply.header("retry-after")
        return False

    def is_answered(self, stream, text=TEA_TEXT, base="/bailian"):
        """A whole answer; or all that came, and one error event; or a body
        without its end, and the answer can be read again."""
        if stream.reply is not None:
            assert not self.is_done(stream.reply), stream.reply.body
            return False
        end = stream.end
        if end is None:
            self.refusal("internal", stream)
            assert text.startswith(stream.text)
            return False
        if not end.field("error"):
            assert stream.is_completed and stream.text == text, stream
            return True
        assert text.startswith(stream.text), stream
        self.refusal(end.field("code"), stream)
        return False

    def is_said(self, found, text=TEA_TEXT):
        """JSON of the mini-program family, of status 200."""
        if found["success"]:
            data = found["data"]
            assert not data["complete"] or data["content"] == text, found
            return data["complete"]
        assert text.startswith(found.get("data", {}).get("content", ""))
        self.refusal(found["code"], found)
        return False

    # --- what is asked ------------------------------------------------------
    def say(self):
        self.env.bailian.say(*TEA)

    def hold(self, *pieces):
        self.env.bailian.scenario([piece(*(pieces or TEA[:2])),
                                   {"barrier": self.user}, last(*TEA[2:])])

    def release(self):
        self.env.bailian.release(self.user)

    def body(self, **more):
        return dict({"message": canary.PROMPT, "userId": self.user}, **more)

    def query(self, **more):
        return urllib.parse.urlencode(dict(more, userId=self.user))

    def ask(self, **options):
        return self.env.ask(user=self.user, seconds=SECONDS, **options)

    def asked(self, **options):
        """A stream that has ended well and is stored."""
        self.say()
        stream = self.ask(**options)
        assert stream.is_completed, stream
        self.env.ended(stream, base=options.get("base", "/bailian"),
                       user=self.user)
        return stream

    def live(self):
        """A stream that has said its beginning; nobody reads it."""
        self.hold()
        stream = self.env.ask_open(user=self.user, seconds=SECONDS)
        stream.read(stop_after=2)
        stream.close()
        return stream

    def get(self, path, headers=None, **query):
        return self.env.get("%s?%s" % (path, self.query(**query)), headers)

    def events(self, stream, form, after=0, **query):
        return self.get("/bailian/streams/%s/events" % stream.stream_id,
                        after=after, **dict(query, **{"as": form}))

    def admin(self):
        return Admin(self.env)


# --- questions ---------------------------------------------------------------
@act
def sse(w):
    w.say()
    yield
    w.is_answered(w.ask())


@act
def sse_over_tls(w):
    w.say()
    yield
    w.is_answered(w.ask(tls=True))


def of_app(app, scenario, text=TEA_TEXT, base="/bailian", others=()):
    def run(w):
        w.others = others
        w.env.bailian.scenario(scenario)
        yield
        w.is_answered(w.ask(app=app, base=base), text)
    return run


ACTS["cumulative"] = of_app("cumulative", [{"answer": {
    "pieces": TEA, "mode": "cumulative", "interval": 0, "first_delay": 0}}])
ACTS["thoughts"] = of_app("thinking", [{"fixture": "agent_thinking"}], "3的平方是9。")
ACTS["workflow"] = of_app("full", [{"fixture": "workflow_full_thoughts"}],
                          "《春日采茶》清晨，山上起了薄雾。")
ACTS["workflow_messages"] = of_app("plus", [{"fixture": "workflow_message_format_plus"}],
                                   "竹影过窗来。")
ACTS["workflow_agent"] = of_app("agent", [{"fixture": "workflow_agent_format"}],
                                "库存还有12件，今天可以发货。")
# To curl a TLS without memory is a connection that was lost.
ACTS["tls_upstream"] = of_app("tls", [last(*TEA)], others=(
    "upstream_connect", "upstream_cut", "upstream_tls"))
ACTS["tried_again"] = of_app(
    None, {"attempts": [
        {"times": 1, "steps": [{"plain": {"status": 503, "body": ""}}]},
        {"steps": [last(*TEA)]}]}, base="/quick")


@act
def error_of_the_upstream(w):
    w.env.bailian.scenario("u26-400-after-text")
    yield
    stream = w.ask(base="/once")
    if stream.reply is not None or stream.code != "upstream_rejected":
        w.is_answered(stream)
        return
    assert stream.end is not None and stream.end.field("error")


@act
def text(w):
    w.say()
    yield
    conn = w.env.connect(seconds=SECONDS)
    conn.send(raw.request("GET", "/bailian/miniapp-stream?"
                          + w.query(message="x")))
    head = conn.head()
    body = raw.Body(conn, head).rest()
    if head.status != 200:
        assert not w.is_done(raw.Reply(head, body))
    elif body.ended != "clean":
        w.refusal("internal", "a text without its last chunk")
        assert TEA_TEXT.encode().startswith(body.data)
    else:
        assert body.data == TEA_TEXT.encode()


@act
def sync(w):
    w.say()
    yield
    reply = w.env.post("/bailian/api/chat/sync", w.body())
    if reply.status != 200:
        assert not w.is_done(reply)
    elif w.is_said(reply.json()) is False:
        assert w.refused


@act
def session_and_poll(w):
    w.say()
    sid = uuid.uuid4().hex
    yield
    reply = w.env.post("/bailian/api/chat/stream?sessionId=" + sid, w.body())
    if w.is_done(reply):
        w.is_said(dict(reply.json(), data=dict(reply.json()["data"],
                                               complete=False)))
        path = "/bailian/api/chat/poll?sessionId=" + sid

        def is_over():
            found = w.env.get(path)
            if found.status == 404 and not w.is_fed:
                return False  # the writer tries again to store it
            return not w.is_done(found) or w.is_said(found.json()) or w.refused
        until(is_over, 30, "the end of the session")


@act
def asked_once(w):
    headers = {"Idempotency-Key": w.user}
    w.env.bailian.forget()
    first = w.asked(headers=headers)
    yield
    again = w.ask(headers=headers)
    if w.is_answered(again):
        assert again.stream_id == first.stream_id
    yield
    assert len(w.env.bailian.requests()) == 1


# --- readers -----------------------------------------------------------------
@act
def resume_live(w):
    stream = w.live()
    yield
    again = w.env.sse_open("/bailian/streams/%s/events?%s" % (
        stream.stream_id, w.query(after=0)), seconds=SECONDS)
    w.release()
    if again.reply is None:
        again.read()
    w.is_answered(again)


@act
def resume_ended(w):
    stream = w.asked()
    yield
    w.is_answered(w.env.resume(stream, after=0, user=w.user))


@act
def resume_as_text(w):
    stream = w.asked()
    yield
    reply = w.events(stream, "text")
    if reply.status == 200 and reply.ended not in ("clean", "close"):
        w.refusal("internal", "a text without its last chunk")
    elif w.is_done(reply):
        assert reply.body.decode() == TEA_TEXT


@act
def events_as_json(w):
    stream = w.asked()
    yield
    reply = w.events(stream, "json")
    if w.is_done(reply):
        assert reply.json()["complete"] and "error" not in reply.json()
        assert TEA_TEXT == "".join(e.get("text", "") for e in
                                   reply.json()["events"]
                                   if e["kind"] == "delta")


@act
def long_poll(w):
    stream = w.live()
    place = w.events(stream, "json").json()["next"]
    yield
    w.release()
    reply = w.events(stream, "poll", place, wait=60000)
    if reply.status == 200:
        data = reply.json()["data"]
        assert (TEA_TEXT[len(TEA_BEGIN):]).startswith(data["delta"])
    else:
        assert not w.is_done(reply)


@act
def state(w):
    stream = w.asked()
    yield
    reply = w.env.state(stream, user=w.user)
    if w.is_done(reply):
        assert reply.json()["outcome"] == "completed"


@act
def stop(w):
    stream = w.live()
    yield
    w.is_done(w.env.delete("/bailian/streams/%s?%s" % (
        stream.stream_id, w.query())), 200, 202, 204)
    yield
    w.env.delete("/bailian/streams/%s?%s" % (stream.stream_id, w.query()))
    assert w.env.ended(stream, user=w.user)["outcome"] in (
        "cancelled", "error")


# --- WebSocket -----------------------------------------------------------------
def talk_to_the_end(w, socket, requests=1):
    """Whether it got its answer; else it was told, or was closed with 1011 or
    1013."""
    found = ""
    while True:
        message = socket.message(SECONDS)
        if message is None:
            assert socket.close_code in (1011, 1013), socket.close_code
            w.refusal("internal", "the connection was closed")
            return False
        if message["type"] == "ERROR":
            w.refusal(message["code"], message)
            if "messageId" not in (message["data"] or {}):
                return False
        elif message["type"] == "CHAT_STREAM_DATA":
            found += message["data"]["content"]
        elif message["type"] == "CHAT_STREAM_END":
            end = message["data"]
            assert TEA_TEXT.startswith(found)
            if end["finishReason"] == "completed":
                assert found == TEA_TEXT
                return True
            assert w.refused or w.is_told_stop, end
            return False


def greeted(w, path="/bailian/ws", **options):
    """A Talk, or None when the handshake was refused."""
    socket = Talk(w.env.connect(seconds=SECONDS), path + "?" + w.query(),
                  **options)
    if socket.status != 101:
        w.refusal(REASONS[socket.status], socket.status)
        return None
    return socket


REASONS = {500: "internal", 503: "overloaded"}


def is_cut(w, function, *args):
    """A WebSocket that ends without a Close frame is one that was lost."""
    try:
        return function(*args)
    except EOFError:
        w.refusal("internal", "the connection was cut")
        return False


@act
def websocket(w):
    w.say()
    yield
    socket = greeted(w)
    if socket is not None:
        socket.ask(canary.PROMPT)
        is_cut(w, talk_to_the_end, w, socket)
        socket.conn.close()


@act
def websocket_stop(w):
    w.hold()
    w.is_told_stop = True
    socket = greeted(w)
    socket.greeted()
    socket.ask(canary.PROMPT, requestId="q")
    begun = socket.get("CHAT_STREAM_START")
    yield
    socket.send_message("CHAT_STREAM_END", {"messageId": begun["messageId"]})
    is_cut(w, talk_to_the_end, w, socket)
    yield
    socket.conn.close()
    w.env.delete("/bailian/streams/%s?%s" % (begun["streamId"], w.query()))
    w.env.ended(begun["streamId"], user=w.user)


@act
def websocket_text(w):
    w.say()
    yield
    socket = Socket(w.env.connect(seconds=SECONDS),
                    "/bailian/ws/chat?" + w.query())
    if socket.status != 101:
        w.refusal(REASONS[socket.status], socket.status)
        return
    socket.say(w.body())
    texts = is_cut(w, texts_of, w, socket)
    assert not texts or texts == TEA_TEXT
    socket.conn.close()


def texts_of(w, socket):
    found = ""
    while True:
        text_frame = socket.next(SECONDS)
        if text_frame is None:
            assert socket.close_code in (1011, 1013), socket.close_code
            w.refusal("internal", "the connection was closed")
            return None
        if not text_frame:
            return found
        if text_frame.startswith("{"):
            w.refusal(json.loads(text_frame)["code"], text_frame)
            return None
        found += text_frame


# --- conversations --------------------------------------------------------------
CONVERSATIONS = "/bailian/conversations"


@act
def conversations(w):
    w.asked(body={"conversionId": "c"})
    yield
    reply = w.get(CONVERSATIONS)
    if w.is_done(reply):
        assert [c["conversationId"] for c in reply.json()["items"]] == ["c"]


@act
def search(w):
    w.asked(body={"conversionId": "c"})
    yield
    reply = w.get(CONVERSATIONS, q="绿茶")
    if w.is_done(reply):
        assert [c["conversationId"] for c in reply.json()["items"]] == ["c"]


@act
def conversation(w):
    w.asked(body={"conversionId": "c"})
    yield
    reply = w.get(CONVERSATIONS + "/c")
    if w.is_done(reply):
        assert [m["content"] for m in reply.json()["messages"]] == [
            canary.PROMPT, TEA_TEXT]


@act
def export(w):
    w.asked(body={"conversionId": "c"})
    yield
    reply = w.get(CONVERSATIONS + "/c/export", format="markdown")
    if w.is_done(reply):
        assert TEA_TEXT in reply.body.decode()


@act
def rename(w):
    w.asked(body={"conversionId": "c"})
    yield
    is_done = w.is_done(w.env.http(
        "PATCH", "%s/c?%s" % (CONVERSATIONS, w.query()), {"title": "新名"}))
    yield
    title = w.get(CONVERSATIONS + "/c").json()["title"]
    assert title == "新名" or not is_done, title


@act
def delete(w):
    w.asked(body={"conversionId": "c"})
    yield
    is_done = w.is_done(w.env.delete("%s/c?%s" % (CONVERSATIONS, w.query())),
                        204)
    yield
    assert w.get(CONVERSATIONS + "/c").status in (
        (404,) if is_done else (404, 200))


@act
def share(w):
    w.asked(body={"conversionId": "c"})
    other = uuid.uuid4().hex
    yield
    is_done = w.is_done(w.env.post("%s/c/members?%s" % (
        CONVERSATIONS, w.query()), {"member": other}))
    yield
    found = w.env.get("%s?userId=%s" % (CONVERSATIONS, other)).json()["items"]
    assert len(found) == 1 or not is_done


# --- who asks (S-02) --------------------------------------------------------------
def assert_not_nobody(w, reply):
    """Whole or refused, and never as if somebody else had asked."""
    if reply.status == 401:
        w.refusal("internal", reply.body)
        return
    if w.is_done(reply):
        assert [c["conversationId"] for c in reply.json()["items"]] == ["mine"]


def has_one(w, base, headers):
    """A conversation that is stored."""
    w.say()
    stream = w.env.ask(base=base, user=None, headers=headers,
                       body={"conversionId": "mine"})
    assert stream.is_completed, stream
    until(lambda: w.env.get(base + "/conversations", headers).json()["items"],
          30, "the conversation")


@act
def login_by_jwt(w):
    headers = bearer(jwt(w.user))
    has_one(w, "/jwt", headers)
    yield
    assert_not_nobody(w, w.env.get("/jwt/conversations", headers))


@act
def login_by_token(w):
    made = w.admin().post("callers", {"name": w.user}).json()
    headers = bearer(made["token"])
    has_one(w, "/tokens", headers)
    yield
    assert_not_nobody(w, w.env.get("/tokens/conversations", headers))
    yield
    w.admin().delete("callers/%d" % made["id"], made["version"])


@act
def ticket(w):
    headers = bearer(jwt(w.user))
    yield
    reply = w.env.post("/jwt/tickets", {"route": "conversations"}, headers)
    if w.is_done(reply, 201):
        w.is_done(w.env.get("/jwt/conversations?ticket="
                            + reply.json()["ticket"]), 200)


# --- administration -----------------------------------------------------------------
def shown(path, check=None):
    def run(w):
        yield
        reply = w.env.get(path, LI)
        if w.is_done(reply) and check:
            check(reply)
    return run


@act
def ready(w):
    """Not until what the writer had no memory for is written (I10)."""
    yield
    if w.is_fed:
        until(lambda: w.env.get("/bailian/readyz").status == 200, 30, "ready")
    else:
        w.is_done(w.env.get("/bailian/readyz"))


ACTS["alive"] = shown("/bailian/livez")
ACTS["metrics"] = shown("/bailian-admin/metrics")
for name in ("overview", "live", "health", "keys", "apps", "upstreams",
             "audit", "callers", "conversations", "usage", "settings", "me"):
    ACTS["admin_" + name] = shown("/bailian-admin/api/" + name,
                                  lambda reply: reply.json())


@act
def live_feed(w):
    yield
    conn = w.env.connect(seconds=SECONDS)
    conn.send(raw.request("GET", "/bailian-admin/api/live/events", headers=LI))
    if not conn.inbox and not conn.fill():
        w.refusal("internal", "no feed: its page asks again")
        return
    feed = Stream(conn)
    if feed.reply is not None:
        assert not w.is_done(feed.reply)
    elif feed.next() is None:
        w.refusal("internal", "a feed that ended")
    feed.close()


@act
def admin_stops_a_stream(w):
    stream = w.live()
    yield
    w.is_done(w.admin().post("live/%s/stop" % stream.stream_id, {}), 200, 202,
              204)
    yield
    w.env.delete("/bailian/streams/%s?%s" % (stream.stream_id, w.query()))
    w.env.ended(stream, user=w.user)


def made_whole_or_not(path, body, key="name"):
    def run(w):
        wanted = dict(body, name=w.user[:40])
        yield
        is_done = w.is_done(w.admin().post(path, wanted), 201)
        yield
        found = [each for each in w.admin().items(path)
                 if each["name"] == wanted["name"]]
        assert len(found) <= 1 and (found or not is_done), found
        for each in found:
            w.admin().delete("%s/%s" % (path, each[key]), each["version"])
    return run


ACTS["key_added"] = made_whole_or_not("keys", {
    "upstream": "emulator", "secret": KEY_SECRET,
    "enabled": False}, "id")
ACTS["caller_added"] = made_whole_or_not("callers", {"note": "n"}, "id")
ACTS["upstream_added"] = made_whole_or_not("upstreams", {
    "baseUrl": "https://dashscope.example/api/v1"})
ACTS["app_added"] = made_whole_or_not("apps", {
    "upstream": "emulator", "appId": "a1"})


@act
def app_changed_and_asked(w):
    """The next question loads the catalog anew."""
    admin = w.admin()
    version = admin.get("apps/default").json()["version"]
    w.say()
    yield
    w.is_done(admin.patch("apps/default", {"note": w.user}, version))
    w.is_answered(w.ask())
