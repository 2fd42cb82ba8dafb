# SPDX-License-Identifier: Apache-2.0
"""administration - what an admin looks at and changes."""
from env import raw
from env.admin import LI
from env.polling import until
from env.sse import Stream

from .world import ACTS, KEY_SECRET, SECONDS, act


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
