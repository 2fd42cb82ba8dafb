# SPDX-License-Identifier: Apache-2.0
"""Which pages may call: exact origins, CORS answers, preflights.

Fault rows S-22 (as far as no WebSocket is needed), S-23, S-24.
"""
import pytest

from answers import TEA, assert_answer
from env.callers import KEY_FILE, bearer, jwt

APP = "https://app.example"
LOCATIONS = """
<Location "/cors">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianAllowOrigin %s http://127.0.0.1:5173 capacitor://localhost
    BailianJwtIssuer shop HS256 %s
</Location>
<Location "/any">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianAllowOrigin *
</Location>
<Location "/cookie">
    SetHandler bailian-sse
    AuthType Basic
    AuthName "test"
    AuthBasicProvider file
    AuthUserFile /dev/null
    Require valid-user
    BailianAllowOrigin %s
    BailianAllowCredentials on
</Location>
""" % (APP, KEY_FILE, APP)
pytestmark = pytest.mark.server(locations=LOCATIONS)

FOREIGN = [
    "https://app.example.evil.example", "https://evil-app.example",
    "https://evilapp.example", "https://app.exampl", "http://app.example",
    "https://app.example:443", "https://app.example:8443",
    "https://app.example/", "https://app.example.", "https://APP.example",
    "HTTPS://app.example", "https://sub.app.example", "https://example",
    "https://user@app.example", "https://app.example@evil.example",
    "https://app.example#evil.example", "https://app.example?evil.example",
    "https://app.example%2eevil.example", "null", "file://", "*",
    "https://app.example, https://evil.example", "https://app.example\\.evil",
    "https://xn--pp-fka.example", "http://127.0.0.1:51730",
    "http://127.0.0.1", "https://127.0.0.1:5173", "http://localhost:5173",
    "http://[::1]:5173", "capacitor://localhost.evil", "capacitor://LOCALHOST",
    "ionic://localhost", "chrome-extension://abcdef", "app.example",
    "//app.example", "https:app.example", "https:///app.example",
    "data:text/html,x", "about:blank", "javascript://app.example"]


def cors_of(reply):
    return {name.lower(): value for name, value in reply.head.headers
            if name.lower().startswith("access-control-")}


def ask(env, origin, base="/cors", **headers):
    env.bailian.say(*TEA)
    return env.ask(base=base, headers=dict({"Origin": origin}, **headers))


@pytest.mark.parametrize("origin", [APP, "http://127.0.0.1:5173",
                                    "capacitor://localhost"])
def test_s24_allowed_origin_reads_the_event_stream(env, origin):
    stream = ask(env, origin)
    assert_answer(stream)
    assert stream.head.header("Access-Control-Allow-Origin") == origin
    assert "Origin" in stream.head.header("Vary")
    assert "X-Bailian-Stream" in stream.head.header(
        "Access-Control-Expose-Headers")


def test_s22_s24_forty_other_origins_are_refused_and_not_reflected(env):
    assert len(FOREIGN) == 40
    for origin in FOREIGN:
        reply = env.post("/cors/stream", {"message": "x"}, {"Origin": origin})
        assert (reply.status, reply.code) == (403, "origin_refused"), origin
        assert not cors_of(reply), origin
        assert "Origin" in reply.head.header("Vary")
    assert not env.bailian.requests()


def test_s24_off_by_default(env):
    for origin in (APP, "null"):
        reply = env.post("/bailian/stream", {"message": "x"},
                         {"Origin": origin})
        assert reply.status == 403 and not cors_of(reply)


def test_page_of_this_host_needs_no_line(env):
    for headers in ({"Origin": "http://localhost:%d" % env.server.port,
                     "Host": "localhost:%d" % env.server.port},
                    {"Origin": "https://proxy.example",
                     "Sec-Fetch-Site": "same-origin"}):
        env.bailian.say(*TEA)
        assert env.ask(headers=headers).status == 200
    assert env.ask(headers={"Origin": "http://localhost:1",
                            "Sec-Fetch-Site": "same-site"}).status == 403


def test_s24_errors_can_be_read_by_the_page(env):
    for method, path, body in (("POST", "/cors/stream", {}),
                               ("GET", "/cors/nowhere", None),
                               ("GET", "/cors/streams/" + "0" * 32, None)):
        reply = env.http(method, path, body, {"Origin": APP})
        assert reply.status >= 400
        assert cors_of(reply)["access-control-allow-origin"] == APP


# What the openai SDK's fetch in a browser asks before.
def test_preflight_of_an_sdk_passes(env):
    names = "authorization,content-type,x-stainless-lang,x-stainless-os"
    reply = env.http("OPTIONS", "/cors/stream", None, {
        "Origin": APP, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": names})
    found = cors_of(reply)
    assert reply.status == 204
    assert found["access-control-allow-origin"] == APP
    assert "POST" in found["access-control-allow-methods"]
    assert found["access-control-allow-headers"] == names
    assert "access-control-allow-credentials" not in found


# A browser sends no credentials with a preflight.
def test_preflight_needs_no_login_and_opens_nothing(env):
    fields = {"Origin": APP, "Access-Control-Request-Method": "POST"}
    reply = env.http("OPTIONS", "/cookie/stream", None, fields)
    assert reply.status == 204
    assert cors_of(reply)["access-control-allow-credentials"] == "true"
    for method, headers in (("POST", {"Origin": APP}), ("OPTIONS", {}),
                            ("OPTIONS", dict(fields, Origin="null"))):
        assert env.http(method, "/cookie/stream", None,
                        headers).status in (401, 403)


def test_refusal_of_httpd_itself_can_be_read_too(env):
    reply = env.post("/cookie/stream", {"message": "x"}, {"Origin": APP})
    assert reply.status == 401
    assert cors_of(reply)["access-control-allow-origin"] == APP


def test_any_origin_is_a_star_and_never_with_credentials(env):
    stream = ask(env, "https://whoever.example", base="/any")
    assert stream.head.header("Access-Control-Allow-Origin") == "*"
    assert stream.head.header("Access-Control-Allow-Credentials") is None


def test_token_of_a_foreign_page_does_not_open_the_door(env):
    reply = env.post("/cors/stream", {"message": "x"}, dict(
        bearer(jwt()), Origin="https://evil.example"))
    assert (reply.status, reply.code) == (403, "origin_refused")


@pytest.mark.parametrize("line,word", [
    ("BailianAllowOrigin https://app.example/", "without a slash"),
    ("BailianAllowOrigin app.example", "scheme://host"),
    ("BailianAllowOrigin https://App.example", "lower case"),
    ("BailianAllowOrigin https://*.example", "scheme://host"),
    ("BailianAllowOrigin https://app.example:443", "own port"),
    ("BailianAllowOrigin null", "scheme://host"),
    ("BailianAllowOrigin *\nBailianAllowCredentials on", "credentials"),
])
def test_s22_p13_a_wrong_line_says_what_would_be_right(servers, line, word):
    status, text = servers.configtest(
        locations='<Location "/bad">\nSetHandler bailian-sse\n%s\n'
        '</Location>' % line)
    assert status != 0 and "BailianAllow" in text and word in text
