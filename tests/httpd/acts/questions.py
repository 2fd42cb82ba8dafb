# SPDX-License-Identifier: Apache-2.0
"""questions - one is asked, in each way that there is."""
import uuid

from answers import TEA, TEA_TEXT, last
from env import raw
from env.polling import until

from .world import ACTS, SECONDS, act

SYNC = "/bailian/api/chat/sync"


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
    conn.send(raw.request("GET", text_path(w)))
    is_text(w, conn.reply())


@act
def text_parked(w):
    w.env.bailian.scenario([{"barrier": w.user}, last(*TEA)])
    conn = w.parked("GET", text_path(w))
    yield
    w.release()
    is_text(w, conn.reply())


def text_path(w):
    return "/bailian/miniapp-stream?" + w.query(message="x")


def is_text(w, reply):
    """Whole, or cut visibly, or a refusal."""
    if reply.status == 200 and reply.ended not in ("clean", "close"):
        w.refusal("internal", "a text without its last chunk")
        assert TEA_TEXT.encode().startswith(reply.body)
    elif w.is_done(reply):
        assert reply.body.decode() == TEA_TEXT


@act
def sync(w):
    w.say()
    yield
    is_whole_or_refused(w, w.env.post(SYNC, w.body()))


def sync_parked(path):
    def run(w):
        w.hold()
        conn = w.parked("POST", path, w.body())
        yield
        w.release()
        is_whole_or_refused(w, conn.reply())
    return run


ACTS["sync_parked"] = sync_parked(SYNC)
ACTS["sync_parked_ascii"] = sync_parked(SYNC + "?ascii=1")


def is_whole_or_refused(w, reply):
    assert (w.is_done(reply) and w.is_said(reply.json())) or w.refused


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
