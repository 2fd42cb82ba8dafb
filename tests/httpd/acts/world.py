# SPDX-License-Identifier: Apache-2.0
"""world - one run of one act, and what may come of it."""
import urllib.parse
import uuid

from answers import TEA, TEA_TEXT, last, piece
from env import canary, raw
from env.admin import Admin, metric
from env.polling import until

# What somebody is told who asked when there was no memory (fault-matrix.md).
REFUSALS = {"internal": 500, "overloaded": 503, "store_unavailable": 503}
SECONDS = 60
KEY_SECRET = "sk-r02-canary-77aa12"
ACTS = {}


def act(function):
    ACTS[function.__name__] = function
    return function


class World:
    """One run of one act. `is_fed`: there is memory, nothing may be refused."""

    def __init__(self, env, is_fed):
        self.env = env
        self.is_fed = is_fed
        self.is_told_stop = False
        self.user = "r02-" + uuid.uuid4().hex
        self.refused = []
        self.others = ()  # what else somebody may be told

    # --- what came --------------------------------------------------------
    def refusal(self, code, what):
        assert not self.is_fed, ("refused with memory enough", code, what)
        assert code in REFUSALS or code in self.others, (code, what)
        self.refused.append(code)

    def is_done(self, reply, *statuses):
        """One of these, or a problem document that says why not."""
        assert reply.ended in ("clean", "close"), reply.ended
        for secret in (canary.API_KEY, canary.PASSWORD, KEY_SECRET):
            assert secret.encode() not in reply.body
        if reply.status in (statuses or (200,)):
            return True
        assert reply.status >= 500, (reply.status, reply.body)
        code = reply.json()["code"]
        self.refusal(code, reply.body)
        assert reply.status == REFUSALS[code], reply.status
        assert reply.status != 503 or reply.header("retry-after")
        return False

    def has_listed(self, reply, conversation):
        """This one and no other."""
        if self.is_done(reply):
            assert [each["conversationId"] for each in reply.json()["items"]
                    ] == [conversation]

    def is_answered(self, stream, text=TEA_TEXT, base="/bailian"):
        """A whole answer; or all that came, and one error event; or a body
        without its end, and the answer can be read again."""
        if stream.reply is not None:
            assert not self.is_done(stream.reply), stream.reply.body
            return False
        end = stream.end
        if end is None:
            self.refusal("internal", stream)
            assert text.startswith(stream.text)
            return False
        if not end.field("error"):
            assert stream.is_completed and stream.text == text, stream
            return True
        assert text.startswith(stream.text), stream
        self.refusal(end.field("code"), stream)
        return False

    def is_said(self, found, text=TEA_TEXT):
        """JSON of the mini-program family, of status 200."""
        if found["success"]:
            data = found["data"]
            assert not data["complete"] or data["content"] == text, found
            return data["complete"]
        assert text.startswith(found.get("data", {}).get("content", ""))
        self.refusal(found["code"], found)
        return False

    # --- what is asked ------------------------------------------------------
    def say(self):
        self.env.bailian.say(*TEA)

    def hold(self, *pieces):
        self.env.bailian.scenario([piece(*(pieces or TEA[:2])),
                                   {"barrier": self.user}, last(*TEA[2:])])

    def release(self):
        self.env.bailian.release(self.user)

    def body(self, **more):
        return dict({"message": canary.PROMPT, "userId": self.user}, **more)

    def query(self, **more):
        return urllib.parse.urlencode(dict(more, userId=self.user))

    def ask(self, **options):
        return self.env.ask(user=self.user, seconds=SECONDS, **options)

    def asked(self, **options):
        """A stream that has ended well and is stored."""
        self.say()
        stream = self.ask(**options)
        assert stream.is_completed, stream
        self.env.ended(stream, base=options.get("base", "/bailian"),
                       user=self.user)
        return stream

    def live(self):
        """A stream that has said its beginning; nobody reads it."""
        self.hold()
        stream = self.env.ask_open(user=self.user, seconds=SECONDS)
        stream.read(stop_after=2)
        stream.close()
        return stream

    def get(self, path, headers=None, **query):
        return self.env.get("%s?%s" % (path, self.query(**query)), headers)

    def events_path(self, stream, form, after=0, **query):
        return "/bailian/streams/%s/events?%s" % (
            stream.stream_id,
            self.query(after=after, **dict(query, **{"as": form})))

    def events(self, stream, form, after=0, **query):
        return self.env.get(self.events_path(stream, form, after, **query))

    def parked(self, method, path, body=None):
        """The connection of a reader whom the reactor has."""
        before = metric(self.env, "readers_parked_total")
        conn = self.env.connect(seconds=SECONDS)
        conn.send(raw.request(method, path, body))
        until(lambda: metric(self.env, "readers_parked_total") > before, 60,
              "the reader that waits")
        return conn

    def admin(self):
        return Admin(self.env)
