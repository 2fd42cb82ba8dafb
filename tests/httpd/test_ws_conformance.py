# SPDX-License-Identifier: Apache-2.0
"""RFC 6455 case by case against the echo, in the groups of the well-known
conformance suite: pings, reserved bits, opcodes, fragments, UTF-8, closing.
Sizes and cuts by chance are in test_ws_echo.py, limits in test_ws.py.

Of builds with --enable-ws-echo, which the sanitizers' is."""
import struct

import pytest

from env import ws
from env.ws import BINARY, CLOSE, PING, PONG, TEXT, frame
from test_modes import modes
from test_ws_echo import ECHO, connect

pytestmark = pytest.mark.server(locations=ECHO)
HELLO = "Hello-µ@ßöäüàá-UTF-8!!".encode()


def close(code=1000, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


def sent(env, data, step=None):
    """A connection on which these bytes were sent, `step` at a time."""
    socket = connect(env, False)
    try:
        for at in range(0, len(data), step or len(data)):
            socket.conn.send(data[at:at + (step or len(data))])
    except OSError:
        pass  # it was refused before the last byte
    return socket


def until_close(socket):
    """([(opcode, payload)] up to the Close frame, the payload of that)"""
    found = []
    while True:
        opcode, payload = socket.frame(20)
        if opcode == CLOSE:
            break
        found.append((opcode, payload))
    while socket.conn.fill(20):
        pass
    return found, payload


def answers(env, data):
    return until_close(sent(env, data))


def assert_answers(env, data, *expected, step=None):
    """These and nothing more, and then a goodbye."""
    socket = sent(env, data, step)
    assert [socket.frame(20) for _ in expected] == list(expected)
    socket.conn.send(close())
    assert until_close(socket) == ([], struct.pack(">H", 1000))


def assert_refused(env, data, *expected, code=1002, step=None):
    """The messages before the fault are answered."""
    found, payload = until_close(sent(env, data, step))
    assert found == list(expected)
    assert struct.unpack(">H", payload[:2])[0] == code, payload


# --- pings --------------------------------------------------------------------
@pytest.mark.parametrize("payload", [b"", b"Hello, world!", b"\0\xff\xfe\xfd",
                                     b"\xfe" * 125], ids=len)
@pytest.mark.parametrize("step", [None, 1], ids=["whole", "bytes"])
def test_ping_is_answered_with_its_payload(env, payload, step):
    assert_answers(env, frame(PING, payload), (PONG, payload), step=step)


def test_ping_above_125_bytes_is_refused(env):
    assert_refused(env, frame(PING, b"\xfe" * 126))


@pytest.mark.parametrize("payload", [b"", b"unasked"], ids=len)
def test_pong_that_nobody_asked_for_is_ignored(env, payload):
    assert_answers(env, frame(PONG, payload) + frame(PING, b"asked"),
                   (PONG, b"asked"))


@pytest.mark.parametrize("step", [None, 1], ids=["whole", "bytes"])
def test_newest_of_many_pings_is_answered_and_none_out_of_order(env, step):
    """Those before it may be (5.5.3)."""
    payloads = [b"payload-%d" % n for n in range(10)]
    socket = sent(env, b"".join(frame(PING, p) for p in payloads), step)
    found = [socket.frame(20)]
    while found[-1] != (PONG, payloads[-1]):
        found.append(socket.frame(20))
    assert found == [(PONG, p) for p in payloads if (PONG, p) in found]


# --- reserved bits and opcodes -------------------------------------------------
@pytest.mark.parametrize("rsv", range(1, 8))
def test_reserved_bit_is_refused(env, rsv):
    for opcode in (TEXT, BINARY, PING, PONG, CLOSE):
        payload = struct.pack(">H", 1000) if opcode == CLOSE else b"*"
        bad = frame(opcode, payload, rsv=rsv)
        assert_refused(env, bad)
    assert_refused(env, frame(TEXT, HELLO) + frame(TEXT, b"*", rsv=rsv),
                   (TEXT, HELLO), step=1)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_reserved_opcode_is_refused(env, opcode):
    for payload in (b"", b"reserved"):
        assert_refused(env, frame(opcode, payload))
    assert_refused(env, frame(TEXT, HELLO) + frame(opcode) + frame(PING),
                   (TEXT, HELLO))


# --- fragments ------------------------------------------------------------------
@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frame_in_fragments_is_refused(env, opcode):
    assert_refused(env, frame(opcode, b"", fin=False) + frame(0, b""))


@pytest.mark.parametrize("step", [None, 1], ids=["whole", "bytes"])
def test_ping_between_fragments_is_answered_and_the_message_too(env, step):
    socket = sent(env, b"".join([
        frame(TEXT, b"fragment1", fin=False), frame(0, b"fragment2", fin=False),
        frame(0, b"", fin=False), frame(PING, b"between"),
        frame(0, b"fragment3")]), step)
    assert sorted([socket.frame(20), socket.frame(20)]) == [
        (TEXT, b"fragment1fragment2fragment3"), (PONG, b"between")]


@pytest.mark.parametrize("fin", [False, True])
def test_continuation_of_nothing_is_refused(env, fin):
    nothing = frame(0, b"non-continuation", fin=fin)
    assert_refused(env, nothing + frame(TEXT, HELLO))
    assert_refused(env, frame(TEXT, HELLO) + nothing, (TEXT, HELLO))
    whole = frame(TEXT, b"a", fin=False) + frame(0, b"b")
    assert_refused(env, whole + nothing, (TEXT, b"ab"))


@pytest.mark.parametrize("second", [TEXT, BINARY])
def test_new_message_inside_a_message_is_refused(env, second):
    assert_refused(env, frame(TEXT, b"fragment1", fin=False) +
                   frame(second, b"fragment2"))


def test_empty_fragments_make_an_empty_message(env):
    empty = frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) + frame(0)
    assert_answers(env, empty + frame(BINARY), (TEXT, b""), (BINARY, b""))


# --- UTF-8 --------------------------------------------------------------------
VALID = [
    "κόσμε".encode(), b"\0", b"\x7f", b"\xc2\x80", b"\xdf\xbf",
    b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd",
    b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf0\x9f\xbf\xbe",
    b"\xf4\x8f\xbf\xbe", b"\xf4\x8f\xbf\xbf"]
INVALID = [
    b"\x80", b"\xbf", b"\x80\xbf", bytes(range(0x80, 0xc0)),  # alone
    b"\xc0\x20", b"\xe0\x20", b"\xf0\x20", b"\xf8\x20", b"\xfc\x20",
    b"\xc2 x", b"\xe0\xa0 x", b"\xf0\x90\x80 x",  # cut short
    b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf",
    b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf",  # too long
    b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xbf\xbf",  # surrogates
    b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf",
    b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]


def test_text_of_every_kind_comes_back(env):
    data = b"".join(frame(TEXT, text) for text in VALID)
    cut = b"".join(frame(TEXT, text[:1], fin=False) +
                   b"".join(frame(0, text[at:at + 1], fin=False)
                            for at in range(1, len(text))) + frame(0)
                   for text in VALID)
    assert_answers(env, data + cut, *[(TEXT, text) for text in VALID * 2])


@pytest.mark.parametrize("text", INVALID, ids=bytes.hex)
def test_text_that_is_not_utf8_is_refused(env, text):
    assert_refused(env, frame(TEXT, b"ok " + text + b" edited"), code=1007)
    assert_answers(env, frame(BINARY, text), (BINARY, text))


@pytest.mark.parametrize("text", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x8d"],
                         ids=bytes.hex)
def test_text_that_ends_inside_a_character_is_refused(env, text):
    assert_refused(env, frame(TEXT, b"ok" + text), code=1007)
    assert_refused(env, frame(TEXT, text, fin=False) + frame(0), code=1007)


@modes("event", "event-sync")
def test_bad_text_is_refused_before_its_frame_has_ended(env):
    """The rest of the frame, or of the message, is not waited for."""
    for data in (frame(TEXT, b"\xce\xba\xf4\x90\x80\x80", length=1000),
                 frame(TEXT, b"\xce\xba\xf4\x90\x80\x80 more", fin=False),
                 frame(TEXT, b"\xed", fin=False) + frame(0, b"\xa0",
                                                         fin=False)):
        socket = connect(env, False)
        socket.conn.send(data)
        assert socket.until_closed(30) == 1007


# --- closing --------------------------------------------------------------------
@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009,
                                  1010, 1011, 3000, 3999, 4000, 4999])
def test_close_is_answered_with_its_code(env, code):
    found, payload = answers(env, close(code, "再见".encode()))
    assert not found and payload[:2] == struct.pack(">H", code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100,
                                  2000, 2999, 5000, 65535])
def test_close_with_a_code_that_is_none_is_refused(env, code):
    assert_refused(env, close(code))


def test_close_without_a_code_is_answered(env):
    found, payload = answers(env, frame(TEXT, HELLO) + frame(CLOSE))
    assert found == [(TEXT, HELLO)]
    assert payload in (b"", struct.pack(">H", 1000))


@pytest.mark.parametrize("bad, code", [
    (frame(CLOSE, b"\3"), 1002), (close(1000, b"x" * 124), 1002),
    (close(1000, b"\xce\xba\xed\xa0\x80"), 1007)],
    ids=["one byte", "126 bytes", "not UTF-8"])
def test_bad_close_is_refused(env, bad, code):
    assert_refused(env, bad, code=code)


def test_longest_reason_is_taken(env):
    found, payload = answers(env, close(1000, b"*" * 123))
    assert not found and payload[:2] == struct.pack(">H", 1000)


@pytest.mark.parametrize("late", [frame(TEXT, b"late"), frame(PING, b"late"),
                                  close(3001), frame(0, b"late")],
                         ids=["text", "ping", "close", "continuation"])
def test_what_comes_after_a_close_is_not_answered(env, late):
    found, payload = answers(env, frame(TEXT, HELLO) + close(3000) + late)
    assert found == [(TEXT, HELLO)]
    assert payload[:2] == struct.pack(">H", 3000)


def test_close_inside_a_message_drops_the_message(env):
    found, payload = answers(env, frame(TEXT, b"fragment1", fin=False) +
                             close(3000))
    assert not found and payload[:2] == struct.pack(">H", 3000)


def test_frame_of_a_client_without_a_mask_is_refused(env):
    for opcode in (TEXT, BINARY, PING, CLOSE):
        assert_refused(env, ws.frame(opcode, b"", mask=None))
