# SPDX-License-Identifier: Apache-2.0
"""The metrics: format, values, who may read them."""
import re
import shutil
import subprocess

import pytest

from answers import TEA
from env import canary
from env.admin import LI, LOCATION
from env.polling import until

OPEN = ('<Location "/bailian-admin/metrics">\nAuthType None\n'
        'Require ip 127.0.0.1\nBailianMetrics location\n</Location>\n')
OFF = '<Location "/bailian-admin/metrics">\nBailianMetrics off\n</Location>\n'
pytestmark = pytest.mark.server(locations=LOCATION)
LINE = re.compile(
    r'([a-z_:][a-z0-9_:]*)(?:\{([a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*)\})?'
    r' (\+Inf|[0-9.e+]+)')


def metrics(env, headers=LI):
    reply = env.get("/bailian-admin/metrics", headers)
    assert reply.status == 200, reply.body[:200]
    assert reply.header("content-type").startswith(
        "text/plain; version=0.0.4")
    return reply.body.decode()


def value(text, name):
    found = re.search(r"^%s (\S+)$" % re.escape(name), text, re.M)
    return float(found[1]) if found else 0.0


def family(name, types):
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix) and types.get(name[:-len(suffix)]) == \
                "histogram":
            return name[:-len(suffix)]
    return name


def test_s72_format_is_strict_and_labels_are_ours(env):
    env.bailian.say(*TEA)
    env.ask(user="metrics-user")
    text = metrics(env)
    assert text.endswith("\n")
    helped, types, seen = set(), {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert name not in helped and words.endswith(".") or ";" in words
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped and name not in types
            assert kind in ("counter", "gauge", "histogram")
            assert name.startswith("bailian_")
            assert name.endswith("_total") == (kind == "counter"), name
            types[name] = kind
        else:
            found = LINE.fullmatch(line)
            assert found, line
            assert (found[1], found[2]) not in seen, line
            seen.add((found[1], found[2]))
            assert family(found[1], types) in types, line
            for label in re.findall(r'([a-z]+)=', found[2] or ""):
                assert label in ("phase", "state", "outcome", "class", "le",
                                 "version", "sqlite"), line
    for word in ("metrics-user", canary.API_KEY, canary.API_KEY[-4:],
                 canary.PROMPT):
        assert word not in text


def test_histogram_adds_up(env):
    env.bailian.say(*TEA)
    env.ask()
    text = metrics(env)
    buckets = [float(n) for n in re.findall(
        r'^bailian_first_content_seconds_bucket\{le="[^"]+"\} (\S+)$', text,
        re.M)]
    assert buckets == sorted(buckets) and buckets[-1] >= 1
    assert buckets[-1] == value(text, "bailian_first_content_seconds_count")
    assert 'le="+Inf"' in text


def grown(env, before, names, by=None):
    """Waits until each has grown, by so much."""
    def look():
        now = metrics(env)
        more = [value(now, n) - value(before, n) for n in names]
        return all(m > 0 if by is None else m == by for m in more)

    until(look, 30, "one more of " + ", ".join(names))


# A server that no test before has left an answer running in.
alone = pytest.mark.server(locations=LOCATION + "# counted exactly\n")


def settled(env):
    """The metrics when all that was begun is counted as ended too."""
    def look():
        text = metrics(env)
        ended = sum(float(n) for n in re.findall(
            r"^bailian_streams_ended_total\{[^}]*\} (\S+)$", text, re.M))
        return text if ended == value(text, "bailian_streams_started_total") \
            else None
    return until(look, 30, "the end of all streams")


@alone
def test_counters_count(env):
    before = settled(env)
    env.bailian.say(*TEA)
    assert env.ask().is_completed
    grown(env, before, ["bailian_streams_started_total",
                        "bailian_attempts_total",
                        'bailian_streams_ended_total{outcome="completed"}'], 1)
    grown(env, before, ["bailian_%s_total" % name for name in (
        "events", "content_bytes", "readers_attached")])


@alone
def test_errors_are_counted_by_class(env):
    before = settled(env)
    env.bailian.scenario([{"reset": {"flush": False}}])
    env.allow_log("BL1304")
    code = env.ask(base="/once", app=env.fresh_app()).code
    assert code
    grown(env, before, ['bailian_%s_errors_total{class="%s"}' % (what, code)
                        for what in ("stream", "attempt")], 1)


def test_metrics_are_not_for_everybody(env):
    assert env.get("/bailian-admin/metrics").status == 401
    assert env.post("/bailian-admin/metrics", {}, LI).status == 405


@pytest.mark.server(locations=LOCATION + OPEN)
def test_a_location_of_its_own_lets_a_scraper_in_without_a_login(env):
    assert "bailian_build_info" in metrics(env, {})
    assert env.get("/bailian-admin/api/overview").status == 401


@pytest.mark.server(locations=LOCATION + OFF)
def test_metrics_can_be_switched_off(env):
    assert env.get("/bailian-admin/metrics", LI).status == 404


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here")
def test_promtool_has_nothing_to_say(env):
    done = subprocess.run(["promtool", "check", "metrics"],
                          input=metrics(env), text=True, capture_output=True,
                          check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
