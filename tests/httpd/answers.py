# SPDX-License-Identifier: Apache-2.0
"""answers - what tests agree on about the scripted answers."""

TEA = ["绿茶", "适合用80℃", "左右的水冲泡🍵，", "水太烫会让茶汤发苦。"]
TEA_TEXT = "".join(TEA)
TEA_BEGIN = "".join(TEA[:2])

# Log lines that a failed answer brings (docs/log-numbers.md).
ENDED_BADLY = "BL1304"
BAD_UTF8 = "BL1305"
PLAIN_HTTP_REFUSED = "BL1602"
BREAKER_OPEN = "BL1652"
KEY_REFUSED = "BL1653"


def piece(*pieces, **options):
    """A step that says these at once and does not end."""
    return {"answer": dict({"pieces": list(pieces), "finish": False,
                            "interval": 0, "first_delay": 0}, **options)}


def last(*pieces, **options):
    """The same, and the end."""
    return piece(*pieces, finish="stop", **options)


def assert_answer(stream, text=TEA_TEXT):
    """A whole answer, each invariant of the chat dialect with it."""
    assert_shape(stream)
    assert stream.text == text
    assert stream.is_completed, stream
    assert stream.end.field("error") is None


def assert_failure(stream, code, text="", outcome=None):
    """All content that came, then one error event, then the end (1.2, I4)."""
    assert_shape(stream)
    end = stream.end
    assert end is not None, stream
    assert (end.field("code"), stream.text) == (code, text), stream
    assert end.field("error")
    if outcome:
        assert end.field("finishReason") == outcome
    words = bytes(stream.raw)
    for secret in (b"secret upstream words", b"InternalError", b"127.0.0.1",
                   b"Throttling", b"curl"):
        assert secret not in words


def assert_shape(stream):
    assert stream.status == 200, (stream.status, stream.reply.body[:500])
    seqs = stream.seqs
    assert seqs == sorted(set(seqs)), seqs
    for event in stream.events:
        body = event.json
        assert isinstance(body["isEnd"], bool)
        assert isinstance(body["content"], str)
        assert body["conversionId"]
        assert "conversionItemId" in body
        if event.id is not None:
            assert event.id == "%s:%s" % (stream.stream_id, body["id"])
