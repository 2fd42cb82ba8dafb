# SPDX-License-Identifier: Apache-2.0
"""What a parked connection must stand, and what is not parked at all."""
import pytest

from answers import TEA, TEA_TEXT, assert_answer, last, piece
from env import build
from env.environment import ask_body

RATE = """
<Location "/rated">
    SetHandler bailian-sse
    BailianAnonymous on
    SetEnvIf Request_URI . rate-limit=400
    SetOutputFilter RATE_LIMIT
</Location>
"""
# A rule of a directory is carried out by an internal redirect.
RULE = """
<Location "/old">
    RewriteEngine on
    RewriteRule "stream$" "/bailian/stream"
</Location>
"""


def held(env, **options):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    stream = env.ask_open(seconds=60, **options)
    stream.read(stop_after=2)
    return stream


@pytest.mark.server(timeout=10)
def test_parked_connection_outlives_the_timeout_of_the_server(env):
    """The MPM's deadline for it is Timeout, and begins anew at half of it."""
    stream = held(env, base="/beat")
    stream.read_comments(115)  # one in 100 ms of silence: more than 11 s
    env.bailian.release("go")
    assert_answer(stream.read())


@pytest.mark.server(locations=RATE, global_extra=(
    "LoadModule ratelimit_module %s/mod_ratelimit.so" % build.HTTPD_MODULES))
def test_filter_that_waits_holds_a_thread_and_nobody_else(env):
    stream = held(env, base="/rated")
    env.log.wait_for("BL1821")
    env.bailian.scenario([last(*TEA)], name="current")
    assert_answer(env.ask(user="neighbour"))
    env.bailian.release("go")
    assert_answer(stream.read())


@pytest.mark.server(locations=RULE)
def test_internal_redirect_is_answered(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    stream = env.sse_open("/old/stream", ask_body())
    assert stream.next_content().content == TEA[0]
    env.bailian.release("go")
    assert stream.read().end.content == TEA_TEXT


# What cannot carry the streams that are asked for (httpd-async.md 3).
TIGHT = """
BailianMaxStreamsPerChild 2000
MaxSpareThreads 40
ServerLimit 3
"""


@pytest.mark.own_server
@pytest.mark.server(children=2, global_extra=TIGHT)
def test_mpm_that_cannot_carry_the_streams_is_warned_of(env):
    env.allow_log("BL1811", "BL1813", "BL1814", "BL1815")
    said = env.server.read("error_log")
    for words in ("a child accepts 288 connections, but 2000 streams",
                  "set AsyncRequestWorkerFactor to 62 or more",
                  "MaxSpareThreads 40: children", "MaxRequestWorkers (64)",
                  "ServerLimit 3: a graceful restart", "set it to 4 or more"):
        assert words in said, words
