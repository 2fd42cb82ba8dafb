# SPDX-License-Identifier: Apache-2.0
"""What a client gets when the upstream misbehaves: fault-matrix.md 1.5.

Every test takes a fresh app: keys that cool down and breakers that open are
not the next test's.
"""
import pytest

from answers import (BAD_UTF8, BREAKER_OPEN, ENDED_BADLY, KEY_REFUSED, TEA,
                     TEA_BEGIN, TEA_TEXT, assert_answer, assert_failure, last,
                     piece)
from env import build
from env.polling import until

MIB = 1024 * 1024


def fail(env, scenario, code, text="", outcome=None, base="/once", logs=True,
         **options):
    """One scenario that must end in one class."""
    if logs:
        env.expect_log(ENDED_BADLY)
    env.bailian.scenario(scenario)
    stream = env.ask(base=base, app=env.fresh_app(), **options)
    assert_failure(stream, code, text, outcome)
    return stream


def attempts(env):
    return len(env.bailian.requests())


# --- U01 - U04: no connection -----------------------------------------------
def test_u01_refused_connection_is_tried_four_times(env):
    env.expect_log(ENDED_BADLY)
    stream = env.ask(base="/quick", app="closed")
    assert_failure(stream, "upstream_connect", outcome="error")
    assert env.ended(stream, base="/quick")["attempts"] == 4


def test_u02_dropped_packets_end_after_the_connect_timeout(env):
    env.expect_log(ENDED_BADLY)
    stream = env.ask(base="/hasty", app="hole")
    assert_failure(stream, "upstream_connect", outcome="error")
    assert stream.end.at - stream.asked_at > 0.6


def test_u03_name_that_does_not_resolve(env):
    env.expect_log(ENDED_BADLY)
    assert_failure(env.ask(base="/once", app="nameless"), "upstream_dns")


@pytest.mark.server(network="")
def test_u03_loopback_is_refused_unless_it_is_allowed(env):
    env.expect_log(ENDED_BADLY)
    stream = env.ask(base="/once")
    assert_failure(stream, "upstream_dns")
    assert not env.bailian.requests()


@pytest.mark.parametrize("app", ["tls-unknown", "tls-expired", "tls-name",
                                 "tls-self", "tls-plain"])
def test_u04_certificate_that_is_not_good_gets_no_key(env, traps, app):
    env.expect_log(ENDED_BADLY)
    env.allow_log("BL1501")  # loading all certificate authorities of the system
    stream = env.ask(base="/quick", app=app)
    assert_failure(stream, "upstream_tls", outcome="error")
    for trap in (traps.unknown, traps.expired, traps.name, traps.self_signed):
        assert trap.heard == b""
    assert env.ended(stream, base="/quick")["attempts"] == 1


def test_u04_handshake_that_hangs(env):
    env.expect_log(ENDED_BADLY)
    stream = env.ask(base="/hasty", app="tls-hangs")
    assert_failure(stream, stream.code)
    assert stream.code in ("upstream_tls", "upstream_connect",
                           "upstream_first_timeout")


def test_u04_own_authority_is_trusted_by_its_file(env):
    env.bailian.say(*TEA)
    assert_answer(env.ask(app="tls"))
    assert env.bailian.request()["tls"] is True


def test_first_streams_of_a_child_do_not_wait_for_one_another(env):
    """A new child has no connection to the upstream yet: all of them connect,
    none waits whether an earlier one can be shared."""
    env.server.graceful()
    env.bailian.scenario([{"barrier": "all"}, last(*TEA)])
    streams = [env.ask_open(user="first%d" % n) for n in range(8)]
    env.bailian.reached("all", len(streams), seconds=5)
    env.bailian.release("all")
    for stream in streams:
        assert_answer(stream.read())


# --- U05 - U08: refusals ----------------------------------------------------
@pytest.mark.parametrize("scenario", ["u05-401", "u05-403"])
def test_u05_refused_credentials_are_not_the_clients_fault(env, scenario):
    env.allow_log(KEY_REFUSED)
    fail(env, scenario, "upstream_auth", outcome="error", base="/quick")
    assert attempts(env) == 1


def test_u05_next_key_is_used_when_one_is_refused(env):
    env.expect_log(KEY_REFUSED)
    env.bailian.say(*TEA)
    assert_answer(env.ask(base="/quick", app="two-keys"))
    assert [r["status"] for r in env.bailian.requests()] == [401, 200]
    assert_answer(env.ask(base="/quick", app="two-keys"))
    assert [r["status"] for r in env.bailian.requests()] == [401, 200, 200]


def test_u05_no_key_left(env):
    env.expect_log(ENDED_BADLY, KEY_REFUSED)
    assert_failure(env.ask(base="/once", app="bad-key"), "upstream_auth")


def test_u05_upstream_without_a_key(env):
    env.expect_log(ENDED_BADLY)
    assert_failure(env.ask(base="/once", app="no-key"), "upstream_auth")
    assert not env.bailian.requests()


@pytest.mark.parametrize("variant", ["3600", "negative", "text", "past"])
def test_u06_throttled_with_a_wait_that_does_not_fit(env, variant):
    fail(env, "u06-retry-after-" + variant, "upstream_quota", base="/once")
    assert attempts(env) == 1


def test_u06_throttled_with_a_short_wait_is_tried_again(env):
    env.bailian.scenario("u06-recovers-after-1")
    stream = env.ask(base="/bailian", app=env.fresh_app(), seconds=15)
    assert_answer(stream)
    first, second = env.bailian.requests()
    assert second["at"] - first["at"] >= 0.9


def test_u06_exhausted_quota_is_not_tried_again(env):
    fail(env, "u06-quota-exhausted", "upstream_quota", base="/quick")
    assert attempts(env) == 1


@pytest.mark.parametrize("scenario", ["u07-invalid-parameter",
                                      "u07-inspection"])
def test_u07_rejected_question_is_not_tried_again(env, scenario):
    fail(env, scenario, "upstream_rejected", base="/quick", logs=False)
    assert attempts(env) == 1


def test_u07_inspection_in_mid_answer_keeps_what_came(env):
    fail(env, "u07-inspection-mid", "upstream_rejected", TEA_BEGIN,
         logs=False)


@pytest.mark.parametrize("scenario", [
    "u08-500", "u08-502", "u08-503", "u08-504", "u08-html", "u08-empty"])
def test_u08_unavailable_upstream_is_tried_four_times(env, scenario):
    stream = fail(env, scenario, "upstream_unavailable", base="/quick")
    assert attempts(env) == 4
    assert env.ended(stream, base="/quick")["attempts"] == 4


def test_u08_answer_comes_when_the_upstream_recovers(env):
    env.bailian.scenario("u08-recovers")
    assert_answer(env.ask(base="/quick", app=env.fresh_app()))
    assert attempts(env) == 3


# --- U09: not an answer -----------------------------------------------------
@pytest.mark.parametrize("scenario", [
    "u09-html", "u09-204", "u09-101", "u09-redirect", "u09-redirect-307",
    "u09-redirect-file", "u09-redirect-loopback", "u09-wrong-type"])
def test_u09_what_is_no_answer_is_garbage(env, scenario):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario(scenario)
    stream = env.ask(base="/once", app=env.fresh_app())
    assert stream.code in ("upstream_garbage", "upstream_cut"), stream
    assert_failure(stream, stream.code)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_u09_redirect_is_not_followed(env, traps, status):
    target = "http://127.0.0.1:%d/steal" % traps.redirect.port
    fail(env, [{"plain": {"status": status, "body": "",
                          "headers": {"location": target}}}],
         "upstream_garbage")
    assert traps.redirect.accepted == 0


# --- U10 - U13: time --------------------------------------------------------
@pytest.mark.parametrize("scenario", ["u10-no-content", "u11-no-head"])
def test_u10_u11_no_first_content_is_a_timeout(env, scenario):
    stream = fail(env, scenario, "upstream_first_timeout", outcome="timeout",
                  base="/hasty")
    assert stream.end.at - stream.asked_at > 0.9


def test_u10_late_first_content_is_in_time(env):
    env.bailian.scenario("u10-late-content")
    stream = env.ask_open(base="/once", app=env.fresh_app())
    while len(stream.heartbeats) < 3:
        stream.next()
    env.bailian.release("content")
    assert_answer(stream.read())


def test_u10_next_attempt_may_answer(env):
    env.bailian.scenario("u10-recovers")
    assert_answer(env.ask(base="/hasty-again", app=env.fresh_app()))
    assert attempts(env) >= 2  # on a slow machine more are too late


@pytest.mark.parametrize("scenario", [
    "u12-stall", "u12-comments", "u12-loose-bytes", "u12-unknown-events"])
def test_u12_only_content_resets_the_gap_clock(env, scenario):
    stream = fail(env, scenario, "upstream_stalled", TEA_BEGIN, "timeout",
                  base="/hasty")
    assert stream.end.at - stream.asked_at > 0.9
    assert env.bailian.request(state="closed")


def test_u13_end_is_the_end_marker_not_the_close(env):
    env.bailian.scenario("u13-never-closes")
    stream = env.ask(app=env.fresh_app())
    assert_answer(stream)
    assert env.bailian.request(state="closed")


# --- U14 - U16: cut ---------------------------------------------------------
@pytest.mark.parametrize("scenario,text", [
    ("u14-clean-close", TEA_BEGIN), ("u14-clean-close-empty", ""),
    ("u14-close-framing", TEA_BEGIN)])
def test_u14_clean_close_is_not_an_end(env, scenario, text):
    fail(env, scenario, "upstream_cut", text, "error")


def test_u14_empty_answer_is_tried_again(env):
    env.bailian.scenario("u14-recovers")
    assert_answer(env.ask(base="/quick", app=env.fresh_app()))


@pytest.mark.parametrize("scenario,text", [
    ("u15-reset-before-head", ""), ("u15-reset-after-head", ""),
    ("u15-reset-in-event", TEA_BEGIN),
    ("u15-reset-between-events", TEA_BEGIN)])
def test_u15_reset_is_a_cut(env, scenario, text):
    fail(env, scenario, "upstream_cut", text, "error")


def test_u15_reset_after_the_end_is_a_whole_answer(env):
    env.bailian.scenario("u15-reset-after-end")
    assert_answer(env.ask(base="/once", app=env.fresh_app()))


def test_u15_reset_without_content_is_tried_again(env):
    env.bailian.scenario("u15-recovers")
    assert_answer(env.ask(base="/quick", app=env.fresh_app()))


def test_i12_nothing_is_tried_again_after_content(env):
    fail(env, "u15-reset-between-events", "upstream_cut", TEA_BEGIN,
         base="/quick")
    assert attempts(env) == 1


@pytest.mark.parametrize("scenario", [
    "u16-inside-chunk", "u16-no-last-chunk", "u16-bad-chunk-size",
    "u16-length-too-large"])
def test_u16_broken_framing_is_a_cut(env, scenario):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario(scenario)
    stream = env.ask(base="/once", app=env.fresh_app())
    assert stream.code in ("upstream_cut", "upstream_garbage")
    assert_failure(stream, stream.code, TEA_BEGIN, "error")


def test_u16_length_too_small_never_looks_whole(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario("u16-length-too-small")
    app = env.fresh_app()
    stream = env.ask(base="/once", app=app)
    assert stream.end.field("error") and TEA_TEXT.startswith(stream.text)
    env.bailian.say(*TEA)
    assert_answer(env.ask(base="/once", app=app))
    numbers = {r["connection"] for r in env.bailian.requests()}
    assert len(numbers) == 2, "the connection was used again"


# --- U17 - U21: how bytes and texts come ------------------------------------
@pytest.mark.parametrize("scenario", ["u17-bytes", "u17-chunk-a-byte",
                                      "u18-crlf-bytes"])
def test_u17_u18_pieces_of_one_byte_give_the_same_text(env, scenario):
    env.bailian.scenario(scenario)
    assert_answer(env.ask(app=env.fresh_app()))


def test_u18_escapes_may_be_cut_anywhere(env):
    env.bailian.scenario("u18-escapes-bytes")
    assert_answer(env.ask(app=env.fresh_app()), "\n茶🍵\\\"")


@pytest.mark.parametrize("name,app,text", [
    ("agent_incremental", "default", TEA_TEXT),
    ("workflow_full_thoughts", "full", "《春日采茶》清晨，山上起了薄雾。"),
    ("workflow_message_format_plus", "plus", "竹影过窗来。")])
def test_u18_transcripts_may_be_cut_into_bytes(env, name, app, text):
    env.bailian.scenario([{"split": {"every": 1}}, {"fixture": name}])
    assert_answer(env.ask(app=app), text)


@pytest.mark.parametrize("at", range(1, 292, 3))
def test_u18_first_event_may_be_cut_in_two_anywhere(env, at):
    env.bailian.scenario([{"split": {"at": [at], "gap": 0.002}},
                          {"fixture": "agent_incremental"}])
    assert_answer(env.ask())


@pytest.mark.parametrize("scenario,count", [
    ("u19-lone-continuation", 1), ("u19-overlong", 2), ("u19-surrogate", 3),
    ("u19-too-large", 4), ("u19-truncated", 2)])
def test_u19_bad_bytes_become_replacement_characters(env, scenario, count):
    env.expect_log(BAD_UTF8)
    env.bailian.scenario(scenario)
    stream = env.ask(app=env.fresh_app())
    assert_answer(stream, "前<" + "\ufffd" * count + ">后")


def test_u19_character_cut_by_the_end_of_the_answer(env):
    env.allow_log(BAD_UTF8)
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario("u19-cut-at-end")
    stream = env.ask(base="/once", app=env.fresh_app())
    assert stream.code in ("upstream_cut", "upstream_garbage")
    assert stream.text == "前"


@pytest.mark.parametrize("scenario,text", [
    ("u20-cumulative", TEA_TEXT), ("u20-replacement-tail", "绿茶适合用80℃"),
    ("u20-rewrite", "绿茶用80℃的水。")])
def test_u20_cumulative_answers_are_told_once(env, scenario, text):
    env.bailian.scenario(scenario)
    stream = env.ask(app="cumulative")
    assert_answer(stream, text)
    assert "\ufffd" not in "".join(e.content for e in stream.deltas)


@pytest.mark.parametrize("scenario,text", [
    ("u21-duplicate", "一二"), ("u21-same-text-new-id", "哈哈"),
    ("u21-ids-back", "一二三四"), ("u21-after-end", TEA_TEXT),
    ("u21-duplicate-end", TEA_TEXT)])
def test_u21_only_a_true_duplicate_is_dropped(env, scenario, text):
    env.bailian.scenario(scenario)
    assert_answer(env.ask(app=env.fresh_app()), text)


# --- U22, U23, U28: size ----------------------------------------------------
@pytest.mark.parametrize("scenario", ["u22-event-1m-1", "u22-event-1m"])
def test_u22_event_up_to_the_limit_passes_in_parts(env, scenario):
    env.bailian.scenario(scenario)
    stream = env.ask(app=env.fresh_app(), seconds=30)
    assert stream.is_completed, stream
    assert stream.text.startswith(TEA_BEGIN + "aaa")
    assert max(len(e.content.encode()) for e in stream.deltas) <= 16 * 1024


@pytest.mark.parametrize("scenario", ["u22-event-1m+1", "u22-event-16m",
                                      "u22-endless-line"])
def test_u22_event_above_the_limit_ends_the_stream(env, scenario):
    fail(env, scenario, "upstream_too_large", TEA_BEGIN, "error")
    assert env.bailian.request(state="closed")["sent"] < 24 * MIB


def test_u23_endless_answer_ends_at_our_limit(env):
    env.allow_log(ENDED_BADLY)
    env.bailian.scenario("u23-endless")
    before = env.server.resident_kb()
    stream = env.ask(app=env.fresh_app(), seconds=60)
    assert stream.end.field("finishReason") == "length"
    size = len(stream.text.encode())
    assert 7 * MIB < size <= 8 * MIB, size
    assert set(stream.text) == {"流"}
    if not build.is_slow():  # a sanitizer keeps what was freed
        assert env.server.resident_kb() - before < 120 * 1024


@pytest.mark.server(global_extra="SendBufferSize 1048576")
def test_u28_upstream_is_held_back_by_a_reader_that_does_not_read(env):
    env.bailian.scenario("u28-firehose")
    stream = env.ask_open(app=env.fresh_app(), rcvbuf=4096, seconds=60)
    stream.next_content()
    taken = env.events_taken(stream)
    stream.read()
    assert stream.is_completed and stream.text.endswith("完")
    assert taken < stream.events[-1].seq / 2, "the upstream was not held back"


# --- U24 - U27: garbage -----------------------------------------------------
@pytest.mark.parametrize("scenario,text", [
    ("cut-json", TEA_BEGIN), ("array", TEA_BEGIN), ("html", TEA_BEGIN),
    ("content-number", TEA_BEGIN), ("deep", TEA_BEGIN),
    ("empty-data", TEA_BEGIN)])
def test_u24_event_that_cannot_be_read_is_garbage(env, scenario, text):
    fail(env, "u24-" + scenario, "upstream_garbage", text, "error")


def test_u24_event_that_says_nothing_is_skipped(env):
    env.bailian.scenario("u24-other-shape")
    assert_answer(env.ask(app=env.fresh_app()))


def test_u24_numbers_out_of_range_change_no_text(env):
    env.allow_log(ENDED_BADLY)
    env.bailian.scenario("u24-numbers")
    stream = env.ask(base="/once", app=env.fresh_app())
    assert stream.end is not None
    assert stream.text in (TEA_BEGIN, TEA_BEGIN + "一" + "".join(TEA[2:]))


@pytest.mark.parametrize("scenario", ["duplicate-keys", "random", "random-mid",
                                      "nul"])
def test_u24_noise_ends_in_one_way_or_the_other(env, scenario):
    env.allow_log(ENDED_BADLY, BAD_UTF8)
    env.bailian.scenario("u24-" + scenario)
    stream = env.ask(base="/once", app=env.fresh_app())
    assert stream.end is not None, stream
    if stream.end.field("error"):
        assert stream.code in ("upstream_garbage", "upstream_cut")
    else:
        assert stream.is_completed


@pytest.mark.parametrize("scenario", ["u25-gzip", "u25-gzip-bomb",
                                      "u25-gzip-broken", "u25-two-codings"])
def test_u25_coding_that_was_not_asked_for_is_garbage(env, scenario):
    fail(env, scenario, "upstream_garbage")


@pytest.mark.parametrize("scenario,code,text,logs", [
    ("u26-400", "upstream_rejected", "", False),
    ("u26-429", "upstream_quota", "", True),
    ("u26-500", "upstream_unavailable", "", True),
    ("u26-400-after-text", "upstream_rejected", TEA_BEGIN, False),
    ("u26-429-after-text", "upstream_quota", TEA_BEGIN, True),
    ("u26-500-after-text", "upstream_unavailable", TEA_BEGIN, True),
    ("u26-object-in-200", "upstream_unavailable", TEA_BEGIN, True),
    ("u26-error-then-content", "upstream_unavailable", TEA_BEGIN, True),
    ("u26-sse-under-400", "upstream_quota", "", True),
    ("u26-sse-under-503", "upstream_unavailable", "", True)])
def test_u26_error_event_has_the_class_of_its_code(env, scenario, code, text,
                                                   logs):
    fail(env, scenario, code, text, "error", logs=logs)


def test_u26_error_event_before_content_is_tried_again(env):
    env.bailian.scenario("u26-500-recovers")
    assert_answer(env.ask(base="/quick", app=env.fresh_app()))


@pytest.mark.parametrize("scenario", [
    "u27-huge-header", "u27-many-headers", "u27-bare-cr",
    "u27-status-garbage", "u27-http09", "u27-1xx-flood"])
def test_u27_heads_that_are_none(env, scenario):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario(scenario)
    stream = env.ask(base="/hasty", app=env.fresh_app())
    assert stream.code in ("upstream_garbage", "upstream_cut",
                           "upstream_first_timeout"), stream
    assert_failure(stream, stream.code)


def test_early_hints_are_no_answer(env):
    env.bailian.scenario("early-hints")
    assert_answer(env.ask(app=env.fresh_app()))


# --- U29 - U32 --------------------------------------------------------------
@pytest.mark.server(locations='<Location "/short">\nSetHandler bailian-sse\n'
                    "BailianAnonymous on\nBailianStreamTimeout 1500ms\n"
                    "BailianRetry off\n</Location>")
def test_u29_crawling_answer_ends_by_the_clock_of_the_stream(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario("u29-crawl")
    stream = env.ask(base="/short", app=env.fresh_app())
    assert stream.code == "timeout" and stream.text.startswith("慢慢")
    assert stream.end.field("finishReason") == "timeout"
    assert stream.end.at - stream.asked_at > 1.3


def test_u30_breaker_opens_and_closes_again(env):
    env.expect_log(ENDED_BADLY, BREAKER_OPEN)
    app = env.fresh_app()
    env.bailian.scenario("u30-down")
    for _ in range(5):
        assert_failure(env.ask(base="/once", app=app), "upstream_unavailable")
    seen = attempts(env)
    assert_failure(env.ask(base="/once", app=app), "overloaded")
    assert attempts(env) == seen, "an open breaker asked the upstream"
    env.bailian.say(*TEA)

    def recovered():
        stream = env.ask(base="/once", app=app)
        return stream.is_completed
    until(recovered, 10, "the closed breaker")
    assert_answer(env.ask(base="/once", app=app))


@pytest.mark.parametrize("scenario", ["u31-reuse-closed", "u31-reuse-reset"])
def test_u31_connection_that_died_idle_is_replaced_silently(env, scenario):
    app = env.fresh_app()
    env.bailian.scenario(scenario)
    assert_answer(env.ask(base="/once", app=app))
    env.bailian.say(*TEA)
    stream = env.ask(base="/once", app=app)
    assert_answer(stream)
    assert env.ended(stream, base="/once")["attempts"] == 1


@pytest.mark.parametrize("scenario", [
    "u32-usage-only", "u32-unknown-event", "u32-event-done", "u32-null-text",
    "u32-keepalive-data", "u32-thoughts", "u32-two-empty-at-end",
    "style-crlf", "style-space", "style-no-status", "style-comments",
    "style-leading-blank", "style-one-write", "json-not-sse"])
def test_u32_what_the_protocol_allows_is_understood(env, scenario):
    env.bailian.scenario(scenario)
    assert_answer(env.ask(app=env.fresh_app()))


def test_u32_usage_may_be_missing(env):
    env.bailian.scenario("u32-no-usage")
    assert_answer(env.ask(app=env.fresh_app()), "一")


def test_u32_length_is_an_end_of_its_own(env):
    env.bailian.scenario("u32-length")
    stream = env.ask(app=env.fresh_app())
    assert stream.text == TEA_TEXT and stream.end.field("error") is None
    assert stream.end.field("finishReason") == "length"
    assert env.ended(stream)["outcome"] == "length"


def test_i6_neighbour_does_not_notice_a_failing_upstream(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario([piece("一"), {"barrier": "go"}, last("二")],
                         name="slow")
    env.bailian.scenario("u15-reset-between-events")
    neighbour = env.ask_open(app="neighbour", seconds=30)
    for _ in range(5):
        env.ask(base="/once", app=env.fresh_app())
    neighbour.read()
    assert neighbour.is_completed
