# SPDX-License-Identifier: Apache-2.0
"""scenarios - the named misbehaviour of the fault matrix, section 1.5.

A name begins with the row it belongs to. Names without a row are ways to
write that the protocol page mentions. Times that a row counts in minutes are
barriers or stalls here: the module under test has its limits turned down, the
emulator does not need to know them.
"""
import base64
import zlib

MIB = 1024 * 1024
TEA = ["绿茶", "适合用80℃", "左右的水冲泡🍵，", "水太烫会让茶汤发苦。"]
TEA_TEXT = "".join(TEA)
DEAD_END = "http://127.0.0.1:9/elsewhere"


def steps(*found):
    return {"steps": list(found)}


def say(pieces=None, finish="stop", **more):
    """The tea answer, at once."""
    return {"answer": dict({"pieces": TEA if pieces is None else pieces,
                            "finish": finish, "interval": 0,
                            "first_delay": 0}, **more)}


def some():
    """Two pieces and no end."""
    return say(TEA[:2], finish=False)


def refuse(status, code, message, headers=None):
    return {"json": {"status": status, "headers": headers or {},
                     "body": {"code": code, "message": message}}}


def output(text, reason="null", **more):
    """A result event as text, for events that are odd only in one place."""
    fields = '"session_id":"00000000000000000000000000000000",' \
             '"finish_reason":"%s","text":"%s"' % (reason, text)
    return {"event": dict({"data": '{"output":{%s},"usage":{},"request_id":'
                           '"00000000-0000-9000-8000-000000000000"}'
                           % (fields,)}, **more)}


def raw_output(hex_text):
    """The same frame with bytes of the text given in hex."""
    head = 'id:2\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{' \
           '"finish_reason":"null","text":"<'
    tail = '>"},"usage":{},"request_id":"r"}\n\n'
    return {"raw": {"hex": head.encode().hex() + hex_text
                    + tail.encode().hex()}}


def throttled(retry_after=None, message="Requests rate limit exceeded, please "
              "try again later.", code="Throttling.RateQuota"):
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return refuse(429, code, message, headers)


def once(first, *then):
    return {"attempts": [{"steps": list(first)}, {"steps": list(then)}]}


def gzip(data):
    coder = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = coder.compress(data) + coder.flush()
    return {"base64": base64.b64encode(packed).decode()}


def credentials_and_limits():
    found = {
        "u05-401": steps(refuse(401, "InvalidApiKey",
                                "Invalid API-key provided.")),
        "u05-403": steps(refuse(403, "App.AccessDenied",
                                "App access denied.")),
        "u06-429": steps(throttled()),
        "u06-quota-exhausted": steps(throttled(
            code="Throttling.AllocationQuota",
            message="Free allocated quota exceeded.")),
        "u06-recovers": {"attempts": [
            {"times": 2, "steps": [throttled()]}, {"steps": [say()]}]},
        "u06-recovers-after-1": once([throttled("1")], say()),
        "u07-invalid-parameter": steps(refuse(
            400, "InvalidParameter", "<400> InternalError.Algo: bad prompt")),
        "u07-inspection": steps(refuse(
            400, "DataInspectionFailed",
            "Input data may contain inappropriate content.")),
        "u07-inspection-mid": steps(some(), {"error": {
            "http": 400, "code": "DataInspectionFailed",
            "message": "Output data may contain inappropriate content."}}),
    }
    for name, value in {"1": "1", "5": "5", "3600": "3600", "negative": "-1",
                        "text": "abc",
                        "past": "Wed, 21 Oct 2015 07:28:00 GMT"}.items():
        found["u06-retry-after-" + name] = steps(throttled(value))
    return found


def unavailable():
    page = {"utf8": "<html><body>Bad gateway</body></html>\n", "times": 27595}
    found = {
        "u08-html": steps({"plain": {"status": 502, "body": page}}),
        "u08-empty": steps({"plain": {"status": 503, "body": ""}}),
        "u08-recovers": {"attempts": [
            {"times": 2, "steps": [refuse(503, "ModelUnavailable", "busy")]},
            {"steps": [say()]}]},
        "u30-down": steps(refuse(503, "ModelUnavailable", "busy")),
    }
    for status in (500, 502, 503, 504):
        found["u08-%d" % status] = steps(
            refuse(status, "InternalError", "An internal error has occured."))
    return found


def not_an_answer():
    def away(target, status=302):
        return steps({"plain": {"status": status, "body": "",
                                "headers": {"location": target}}})
    return {
        "u09-html": steps({"plain": {"status": 200, "body":
                                     "<html><title>Log in</title></html>"}}),
        "u09-204": steps({"head": {"status": 204, "framing": "none", "headers":
                                   {"content-type": None}}}),
        "u09-redirect": away(DEAD_END),
        "u09-redirect-307": away(DEAD_END, 307),
        "u09-redirect-file": away("file:///etc/passwd"),
        "u09-redirect-loopback": away("http://127.0.0.1/"),
        "u09-101": steps({"wire": "HTTP/1.1 101 Switching Protocols\r\n"
                                  "upgrade: h2c\r\nconnection: upgrade\r\n"
                                  "\r\n"}, {"stall": True}),
        "u09-wrong-type": steps({"head": {"content_type": "text/plain"}},
                                say()),
    }


def silence():
    return {
        "u10-no-content": steps({"head": {}}, {"stall": True}),
        "u10-late-content": steps({"head": {}}, {"barrier": "content"}, say()),
        "u10-recovers": {"attempts": [{"steps": [{"head": {}},
                                                 {"stall": True}]},
                                      {"steps": [say()]}]},
        "u11-no-head": steps({"stall": True}),
        "u12-stall": steps(some(), {"stall": True}),
        "u12-comments": steps(some(), {"repeat": {
            "times": -1, "interval": 0.05, "steps": [{"raw": ": alive\n\n"}]}}),
        "u12-loose-bytes": steps(some(), {"raw": "data:"}, {"repeat": {
            "times": -1, "interval": 0.05, "steps": [{"raw": "x"}]}}),
        "u12-unknown-events": steps(some(), {"repeat": {
            "times": -1, "interval": 0.05, "steps": [
                {"event": {"name": "ping", "data": "{}"}}]}}),
        "u29-crawl": steps({"repeat": {"times": -1, "interval": 0.2, "steps": [
            say(["慢"], finish=False)]}}),
    }


def ends():
    half = {"raw": 'id:3\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"te'}
    return {
        "u13-never-closes": steps(say(), {"stall": True}),
        "u14-clean-close": steps(some()),
        "u14-clean-close-empty": steps({"head": {}}),
        "u14-close-framing": steps({"head": {"framing": "close"}}, some(),
                                   {"close": True}),
        "u14-recovers": once([{"head": {}}], say()),
        "u15-reset-before-head": steps({"reset": True}),
        "u15-reset-after-head": steps({"head": {}}, {"reset": True}),
        "u15-reset-in-event": steps(some(), half, {"reset": True}),
        "u15-reset-between-events": steps(some(), {"reset": True}),
        "u15-reset-after-end": steps(say(), {"reset": True}),
        "u15-recovers": once([{"reset": True}], say()),
        "u16-inside-chunk": steps(some(), {"wire": "1000\r\nid:3\nevent:res"},
                                  {"close": True}),
        "u16-no-last-chunk": steps(some(), {"close": True}),
        "u16-bad-chunk-size": steps(some(), {"wire": "zz\r\n" + TEA_TEXT},
                                    {"stall": True}),
        "u16-length-too-large": steps({"head": {"length": 100000}}, some(),
                                      {"close": True}),
        "u16-length-too-small": steps({"head": {"length": 300}}, say(),
                                      {"close": True}),
        "u31-reuse-closed": steps(say(), {"close_on_reuse": "close"}),
        "u31-reuse-reset": steps(say(), {"close_on_reuse": "reset"}),
    }


def cuts():
    found = {
        "u17-bytes": steps({"split": {"every": 1}}, say()),
        "u17-chunk-a-byte": steps({"split": {"every": 1, "chunks": True}},
                                  say()),
        "u17-bytes-1ms": steps({"split": {"every": 1, "gap": 0.001}}, say()),
        "u18-crlf-bytes": steps({"style": {"eol": "\r\n"}},
                                {"split": {"every": 1}}, say()),
        "u18-escapes-bytes": steps(
            {"split": {"every": 1}},
            output("\\n\\u8336\\ud83c\\udf75\\\\\\\"", id=1),
            output("", "stop", id=2)),
    }
    return found


def texts():
    bad = {"lone-continuation": "80", "overlong": "c0af",
           "surrogate": "eda080", "too-large": "f5808080",
           "truncated": "e88c"}
    found = {
        "u20-cumulative": steps({"mode": {"incremental": False}}, say()),
        "u20-replacement-tail": steps(
            output("绿茶适合\ufffd", id=1), output("绿茶适合用\ufffd", id=2),
            output("绿茶适合用80℃", id=3), output("绿茶适合用80℃", "stop",
                                               id=4)),
        "u20-rewrite": steps(
            output("绿茶用100℃", id=1), output("绿茶用80℃的水", id=2),
            output("绿茶用80℃的水。", "stop", id=3)),
        "u21-duplicate": steps(
            output("一", id=1), output("一", id=1), output("二", id=2),
            output("二", id=2), output("", "stop", id=3)),
        "u21-same-text-new-id": steps(
            output("哈", id=1), output("哈", id=2), output("", "stop", id=3)),
        "u21-ids-back": steps(
            output("一", id=5), output("二", id=4), output("三", id=1),
            output("四", id=1), output("", "stop", id=1)),
        "u21-after-end": steps(say(), output("不该出现"), {"stall": True}),
        "u21-duplicate-end": steps(say(), output("", "stop"),
                                   output("", "stop")),
    }
    for name, octets in bad.items():
        found["u19-" + name] = steps(output("前", id=1), raw_output(octets),
                                     output("后", "stop", id=3))
    found["u19-cut-at-end"] = steps(
        output("前", id=1), {"raw": {"hex": 'data:{"output":{"text":"'.encode()
                                    .hex() + "e88c"}})
    return found


def sizes():
    found = {
        "u22-endless-line": steps(some(), {"big": {"bytes": 64 * MIB,
                                                   "ends": False}}),
        "u23-endless": steps({"mode": {"incremental": True}},
                             {"flood": {"bytes": 1024 * MIB,
                                        "characters": 1000}}),
        "u28-firehose": steps({"sndbuf": 64 * 1024},
                              {"flood": {"bytes": 7 * MIB,
                                         "characters": 200}},
                              say(["完"])),
    }
    for name, size in {"1m-1": MIB - 1, "1m": MIB, "1m+1": MIB + 1,
                       "16m": 16 * MIB}.items():
        found["u22-event-" + name] = steps(some(), {"big": {"bytes": size}},
                                           say([]))
    return found


def garbage():
    deep = '{"output":' * 10000 + "1" + "}" * 10000
    odd = {
        "cut-json": '{"output":{"text":"一',
        "other-shape": '{"hello":"world"}',
        "array": '[1,2,3]',
        "numbers": '{"output":{"text":"一","finish_reason":"null"},"usage":'
                   '{"models":[{"input_tokens":1e309,"output_tokens":'
                   '18446744073709551616,"x":-0}]}}',
        "deep": deep,
        "duplicate-keys": '{"output":{"text":"一","text":"二",'
                          '"finish_reason":"null"}}',
        "content-number": '{"output":{"text":42,"finish_reason":"null"}}',
        "html": "<html><body>502</body></html>",
        "empty-data": "",
    }
    found = {"u24-" + name: steps(say(TEA[:2], finish=False),
                                  {"event": {"data": data}}, say(TEA[2:]))
             for name, data in odd.items()}
    noise = bytes((i * 197 + 13) % 256 for i in range(2048)).hex()
    found["u24-random"] = steps({"raw": {"hex": noise, "times": 20}})
    found["u24-random-mid"] = steps(some(), {"raw": {"hex": noise}},
                                    {"raw": "\n\n"}, say(TEA[2:]))
    found["u24-nul"] = steps(some(), {"raw": {"hex": "00" * 64}},
                             {"raw": "\n\n"}, say(TEA[2:]))
    return found


def codings():
    frame = b'id:1\nevent:result\ndata:{"output":{"finish_reason":"stop",' \
            b'"text":"zip"}}\n\n'
    bomb = b'data:{"output":{"finish_reason":"null","text":"' \
        + b"a" * (32 * MIB)
    coded = {"headers": {"content-encoding": "gzip"}}
    return {
        "u25-gzip": steps({"head": {"coding": "gzip"}}, say()),
        "u25-gzip-bomb": steps({"head": coded}, {"raw": gzip(bomb)}),
        "u25-gzip-broken": steps({"head": coded}, {"raw": frame.decode()}),
        "u25-two-codings": steps(
            {"head": {"headers": {"content-encoding": ["gzip", "br"]}}},
            {"raw": gzip(frame)}),
    }


def errors():
    def fail(http, code):
        return {"error": {"http": http, "code": code, "message": "secret "
                          "upstream words"}}
    inside = {"event": {"data": '{"code":"InternalError","message":"secret '
                        'upstream words","request_id":"r"}'}}
    return {
        "u26-400": steps(fail(400, "InvalidParameter")),
        "u26-429": steps(fail(429, "Throttling.RateQuota")),
        "u26-500": steps(fail(500, "InternalError")),
        "u26-500-recovers": once([fail(500, "InternalError")], say()),
        "u26-400-after-text": steps(some(), fail(400, "InvalidParameter")),
        "u26-429-after-text": steps(some(), fail(429, "Throttling")),
        "u26-500-after-text": steps(some(), fail(500, "InternalError")),
        "u26-object-in-200": steps(some(), inside),
        "u26-error-then-content": steps(some(), fail(500, "SystemError"),
                                        say(TEA[2:])),
        "u26-sse-under-400": steps({"head": {"status": 400}},
                                   fail(400, "Arrearage")),
        "u26-sse-under-503": steps({"head": {"status": 503}},
                                   fail(503, "ModelUnavailable")),
    }


def heads():
    plain = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    return {
        "u27-huge-header": steps({"wire": plain + "x-big: "},
                                 {"wire": {"utf8": "a" * 1024, "times": 1024}},
                                 {"wire": "\r\n\r\n"}, {"stall": True}),
        "u27-many-headers": steps({"wire": plain}, {"wire": {
            "utf8": "x-many: " + "b" * 40 + "\r\n", "times": 10000}},
            {"wire": "\r\n"}, {"stall": True}),
        "u27-bare-cr": steps({"wire": plain + "x-cr: a\rset-cookie: b\r\n"
                                      "content-length: 0\r\n\r\n"}),
        "u27-status-garbage": steps({"wire": "HTTP/1.1 ABC What\r\n\r\n"},
                                    {"close": True}),
        "u27-http09": steps({"wire": "<html>hello</html>\n"},
                            {"close": True}),
        "u27-1xx-flood": steps({"repeat": {"times": -1, "steps": [
            {"wire": {"utf8": "HTTP/1.1 100 Continue\r\n\r\n",
                      "times": 100}}]}}),
        "early-hints": steps({"wire": "HTTP/1.1 100 Continue\r\n\r\n"
                                      "HTTP/1.1 103 Early Hints\r\n"
                                      "link: </x>; rel=preload\r\n\r\n"},
                             say()),
    }


def parts():
    """U32: what the dialect page says may come."""
    ask = '"request_id":"r"}'
    keepalive = '{"output":{"message":{"phase":"KeepAlive","content":""}},' \
                '"usage":{},' + ask
    return {
        "u32-usage-only": steps(some(), {"event": {
            "data": '{"output":{},"usage":{"models":[{"input_tokens":7,'
                    '"output_tokens":9,"model_id":"qwen-plus"}]},' + ask}},
            say(TEA[2:])),
        "u32-unknown-event": steps(some(), {"event": {
            "name": "trace", "data": "not json"}}, say(TEA[2:])),
        "u32-event-done": steps(say(), {"raw": "event:done\ndata:[DONE]\n\n"}),
        "u32-null-text": steps(some(), {"event": {
            "data": '{"output":{"text":null,"finish_reason":"null"},' + ask}},
            say(TEA[2:])),
        "u32-keepalive-data": steps({"event": {"data": keepalive}}, say()),
        "u32-thoughts": steps({"mode": {"thoughts": True}},
                              say(thinking=["先想", "一想。"])),
        "u32-no-usage": steps(
            {"event": {"data": '{"output":{"text":"一","finish_reason":'
                               '"null"}}'}},
            {"event": {"data": '{"output":{"text":"","finish_reason":'
                               '"stop"}}'}}),
        "u32-two-empty-at-end": steps(say(finish=False), output(""),
                                      output("", "stop")),
        "u32-length": steps(say(finish="length")),
    }


def styles():
    return {
        "style-crlf": steps({"style": {"eol": "\r\n"}}, say()),
        "style-space": steps({"style": {"space": True}}, say()),
        "style-no-blank": steps({"style": {"blank": False}}, say()),
        "style-no-status": steps({"style": {"status": False}}, say()),
        "style-comments": steps({"style": {"comment": " keepalive"}}, say()),
        "style-leading-blank": steps({"raw": "\n"}, say()),
        "style-one-write": steps({"fixture": "agent_incremental"}),
        "json-not-sse": steps({"json": {"body": {"output": {
            "finish_reason": "stop", "session_id": "0" * 32,
            "text": TEA_TEXT}, "usage": {}, "request_id": "r"}}}),
        "session-expired": steps(refuse(400, "InvalidParameter",
                                        "session_id is invalid or expired")),
    }


def build():
    library = {}
    for group in (credentials_and_limits, unavailable, not_an_answer, silence,
                  ends, cuts, texts, sizes, garbage, codings, errors, heads,
                  parts, styles):
        library.update(group())
    return library


LIBRARY = build()
