# SPDX-License-Identifier: Apache-2.0
"""A reader that comes back gets the rest, once, and nothing of anybody else.

design.md section 2, fault rows C14 and C16, invariant I3.
"""
import pytest

from answers import ENDED_BADLY, TEA, TEA_TEXT, assert_answer, last, piece
from env.polling import until

HALF = "".join(TEA[:2])


def events_of(*streams):
    """What was received in all, heartbeats left out."""
    return [(e.id, e.data) for s in streams for e in s.events
            if e.id is not None]


def interrupted(env, barrier="go"):
    """A stream whose reader left in mid-answer; the upstream still waits."""
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": barrier},
                          last(*TEA[2:])])
    first = env.ask_open()
    first.read(stop_after=2)
    first.close()
    return first


def whole_again(first, again):
    """Both parts together are the answer, without a gap or a repeat."""
    found = events_of(first, again)
    assert len(found) == len(set(found))
    seqs = [int(i.rsplit(":", 1)[1]) for i, _ in found]
    assert seqs == sorted(seqs)
    assert first.text + again.text == TEA_TEXT
    assert again.end.content == TEA_TEXT and not again.end.field("error")


# The browser goes away in mid-answer and comes back with the last id it saw.
def test_resume_mid_answer_by_last_event_id(env):
    first = interrupted(env)
    env.bailian.release("go")
    again = env.resume(first, last_event_id=first.events[-1].id)
    whole_again(first, again)


def test_resume_mid_answer_by_query(env):
    first = interrupted(env)
    env.bailian.release("go")
    whole_again(first, env.resume(first, after=first.events[-1].seq))


def test_resumed_reader_waits_for_what_comes(env):
    first = interrupted(env)
    again = env.sse_open("/bailian/streams/%s/events?userId=u1&after=%d"
                         % (first.stream_id, first.events[-1].seq))
    env.bailian.release("go")
    whole_again(first, again.read())
    assert len(env.bailian.requests()) == 1


def test_resume_from_the_beginning_repeats_every_byte(env):
    env.bailian.say(*TEA)
    first = env.ask()
    again = env.resume(first, after=0)
    assert events_of(again) == events_of(first)


@pytest.mark.parametrize("position", range(len(TEA)))
def test_resume_after_each_event_of_an_ended_stream(env, position):
    env.bailian.say(*TEA)
    first = env.ask()
    at = first.deltas[position]
    again = env.resume(first, last_event_id=at.id)
    assert [e.content for e in again.deltas] == TEA[position + 1:]
    assert again.end.content == TEA_TEXT


def test_ended_stream_is_read_from_the_store_after_a_restart(env):
    env.bailian.say(*TEA)
    first = env.ask()
    env.ended(first)
    env.server.graceful()
    again = env.resume(first, after=first.deltas[0].seq)
    assert [e.content for e in again.deltas] == TEA[1:]
    assert again.end.data == first.end.data


def test_after_the_end_there_is_nothing_more(env):
    env.bailian.say(*TEA)
    first = env.ask()
    for _ in range(3):
        again = env.resume(first, last_event_id=first.end.id)
        assert again.status == 204
    assert len(env.bailian.requests()) == 1


def test_c14_of_another_person_is_not_found(env):
    env.bailian.say(*TEA)
    first = env.ask()
    for user in ("u2", "", "user:li"):
        assert env.resume(first, after=0, user=user).status == 404
        assert env.state(first, user=user).status == 404
        reply = env.delete("/bailian/streams/%s?userId=%s"
                           % (first.stream_id, user))
        assert reply.status == 404


def test_c14_unknown_stream_is_not_found(env):
    for name in ("0" * 32, "f" * 32, "x", "0" * 31, "A" * 32):
        assert env.resume(name, after=0).status in (400, 404)


def test_c14_id_of_another_stream_is_refused(env):
    env.bailian.say(*TEA)
    first, other = env.ask(), env.ask()
    again = env.resume(first, last_event_id=other.events[-1].id)
    assert again.status in (400, 404)


@pytest.mark.parametrize("value", [
    "abc", "18446744073709551616", "-1", "1.5", "x" * 8000, "1e3",
    "99999999999999999999999"])
def test_c14_bad_position_is_a_bad_request(env, value):
    env.bailian.say(*TEA)
    first = env.ask()
    assert env.resume(first, after=value).status == 400
    assert env.resume(first, last_event_id=value).status == 400


def test_c14_beyond_the_end_is_nothing(env):
    env.bailian.say(*TEA)
    first = env.ask()
    assert env.resume(first, after=first.end.seq + 1000).status == 204


def test_c14_beyond_a_live_stream_waits_for_the_rest(env):
    first = interrupted(env)
    beyond = first.events[-1].seq + 1
    again = env.sse_open("/bailian/streams/%s/events?userId=u1&after=%d"
                         % (first.stream_id, beyond))
    env.bailian.release("go")
    again.read()
    assert again.end.content == TEA_TEXT
    assert all(seq > beyond for seq in again.seqs)


def test_c16_many_readers_of_one_stream_get_the_same(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    first = env.ask_open()
    first.read(stop_after=1)
    others = [env.sse_open("/bailian/streams/%s/events?userId=u1&after=0"
                           % first.stream_id) for _ in range(20)]
    env.bailian.release("go")
    first.read()
    for other in others:
        other.read()
        assert events_of(other) == events_of(first)
    assert len(env.bailian.requests()) == 1


def test_answer_as_text(env):
    env.bailian.say(*TEA)
    first = env.ask()
    reply = env.get("/bailian/streams/%s/events?userId=u1&as=text&after=0"
                    % first.stream_id)
    assert reply.header("content-type") == "text/plain; charset=utf-8"
    assert reply.body.decode() == TEA_TEXT


def test_answer_as_json(env):
    env.bailian.say(*TEA)
    first = env.ask()
    reply = env.get("/bailian/streams/%s/events?userId=u1&as=json&after=0"
                    % first.stream_id)
    assert reply.header("content-type").startswith("application/json")
    assert TEA[0] in reply.body.decode()


def test_unknown_encoding_is_refused(env):
    first = env.ask()
    reply = env.get("/bailian/streams/%s/events?userId=u1&as=xml"
                    % first.stream_id)
    assert reply.status == 400


def test_question_with_an_idempotency_key_runs_once(env):
    """C18, one after the other."""
    env.bailian.say(*TEA)
    headers = {"Idempotency-Key": "once-1"}
    first = env.ask(headers=headers)
    again = env.ask(headers=headers)
    assert_answer(first)
    assert again.stream_id == first.stream_id
    assert again.end.content == TEA_TEXT
    assert len(env.bailian.requests()) == 1


def test_question_with_an_idempotency_key_is_joined_while_it_runs(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    headers = {"Idempotency-Key": "once-2"}
    first = env.ask_open(headers=headers)
    first.read(stop_after=1)
    again = env.ask_open(headers=headers)
    env.bailian.release("go")
    assert again.stream_id == first.stream_id
    assert_answer(first.read())
    assert again.read().end.content == TEA_TEXT
    assert len(env.bailian.requests()) == 1


# --- what happens when nobody reads -----------------------------------------
def test_detached_stream_goes_on_without_a_reader(env):
    first = interrupted(env)
    env.bailian.release("go")
    assert env.ended(first)["outcome"] == "completed"


def test_drained_stream_goes_on_without_a_reader(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    first = env.ask_open(base="/drain")
    first.read(stop_after=1)
    first.close()
    env.bailian.release("go")
    assert env.ended(first, base="/drain")["outcome"] == "completed"


@pytest.mark.server(locations='<Location "/brief">\nSetHandler bailian-sse\n'
                    "BailianAnonymous on\nBailianDisconnect detach 500ms\n"
                    "</Location>")
def test_detached_stream_ends_when_nobody_comes_back(env):
    env.bailian.scenario([piece(*TEA[:2]), {"stall": True}])
    first = env.ask_open(base="/brief")
    first.read(stop_after=1)
    first.close()
    record = env.bailian.request(state="closed")
    assert record["ended_by"] in ("peer-fin", "peer-reset")
    assert env.ended(first, base="/brief")["outcome"] == "cancelled"


# A thread for each stream: so many cannot be in the stream's own child.
SPREAD = {"children": 3, "threads": 4, "global_extra": "BailianAsync sync"}


@pytest.mark.server(**SPREAD)
def test_reader_in_another_child_gets_the_rest(env):
    first = interrupted(env)
    again = [env.sse_open("/bailian/streams/%s/events?userId=u1&after=%d"
                          % (first.stream_id, first.events[-1].seq))
             for _ in range(9)]
    env.bailian.release("go")
    for reader in again:
        whole_again(first, reader.read())


@pytest.mark.server(**SPREAD)
def test_stop_reaches_a_stream_in_another_child(env):
    streams = []
    for _ in range(8):
        env.bailian.scenario([piece(*TEA[:2]), {"stall": True}])
        streams.append(env.ask_open())
        streams[-1].read(stop_after=1)
    for stream in streams:
        reply = env.delete("/bailian/streams/%s?userId=u1" % stream.stream_id)
        assert reply.status in (200, 202, 204)
    for stream in streams:
        assert stream.read().code == "cancelled"
        assert env.ended(stream)["outcome"] == "cancelled"


def test_failed_stream_says_its_failure_again(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario("u15-reset-between-events")
    first = env.ask(base="/once", app=env.fresh_app())
    env.ended(first, base="/once")
    again = env.resume(first, base="/once", after=0)
    assert (again.text, again.code) == (HALF, "upstream_cut")


def test_stored_events_reach_the_disk_while_the_stream_runs(env):
    """P01: at most two seconds of an answer are lost by a crash."""
    first = interrupted(env)
    until(lambda: env.stored_seq(first) >= first.events[-1].seq, 4,
          "the stored events")
    env.bailian.release("go")
    env.ended(first)
