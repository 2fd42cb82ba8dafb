# SPDX-License-Identifier: Apache-2.0
"""logins - who asks (S-02)."""
from env.callers import KEY_FILE, bearer, jwt
from env.polling import until

from .world import act

LOCATIONS = """
<Location "/jwt">
    SetHandler bailian-sse
    BailianJwtIssuer shop HS256 %s
</Location>
<Location "/tokens">
    SetHandler bailian-sse
</Location>
""" % KEY_FILE

def assert_not_nobody(w, reply):
    """Whole or refused, and never as if somebody else had asked."""
    if reply.status == 401:
        w.refusal("internal", reply.body)
        return
    w.has_listed(reply, "mine")


def has_one(w, base, headers):
    """A conversation that is stored."""
    w.say()
    stream = w.env.ask(base=base, user=None, headers=headers,
                       body={"conversionId": "mine"})
    assert stream.is_completed, stream
    until(lambda: w.env.get(base + "/conversations", headers).json()["items"],
          30, "the conversation")


@act
def login_by_jwt(w):
    headers = bearer(jwt(w.user))
    has_one(w, "/jwt", headers)
    yield
    assert_not_nobody(w, w.env.get("/jwt/conversations", headers))


@act
def login_by_token(w):
    made = w.admin().post("callers", {"name": w.user}).json()
    headers = bearer(made["token"])
    has_one(w, "/tokens", headers)
    yield
    assert_not_nobody(w, w.env.get("/tokens/conversations", headers))
    yield
    w.admin().delete("callers/%d" % made["id"], made["version"])


@act
def ticket(w):
    headers = bearer(jwt(w.user))
    yield
    reply = w.env.post("/jwt/tickets", {"route": "conversations"}, headers)
    if w.is_done(reply, 201):
        w.is_done(w.env.get("/jwt/conversations?ticket="
                            + reply.json()["ticket"]), 200)
