# SPDX-License-Identifier: Apache-2.0
"""Roles of the admin page, and where its changes may come from."""
import pytest

from env.admin import LI, LOCATION, WANG, admin_location

ROLES = admin_location("/roles-admin", """\
BailianAdminRole viewer valid-user
BailianAdminRole operator user wang
""") + admin_location("/only-li", "BailianAdminRole admin user li\n") \
    + LOCATION
pytestmark = pytest.mark.server(locations=ROLES)


def role(env, base, user):
    reply = env.get(base + "/api/me", user)
    return reply.json()["role"] if reply.status == 200 else reply.status


def test_without_a_role_line_who_is_let_in_is_admin(env):
    assert role(env, "/bailian-admin", LI) == "admin"
    assert role(env, "/bailian-admin", WANG) == "admin"


def test_the_highest_role_of_all_lines_holds(env):
    assert role(env, "/roles-admin", LI) == "viewer"
    assert role(env, "/roles-admin", WANG) == "operator"


def test_whom_no_line_names_gets_403_and_the_line_to_add(env):
    assert role(env, "/only-li", LI) == "admin"
    for path in ("/", "/api/me", "/api/overview", "/no.css"):
        reply = env.get("/only-li" + path, WANG)
        assert reply.status == 403
        assert 'BailianAdminRole viewer user "wang"' in reply.json()["detail"]


def test_me_says_who_and_from_where(env):
    me = env.get("/bailian-admin/api/me", LI).json()
    routes = me.pop("routes")
    assert me == {"user": "li", "role": "admin", "from": "127.0.0.1"}
    assert len(set(routes)) == len(routes) and "GET api/me" in routes


def test_me_names_the_routes_that_the_role_suffices_for(env):
    def routes(user):
        return set(env.get("/roles-admin/api/me", user).json()["routes"])

    viewer, operator = routes(LI), routes(WANG)
    assert "GET api/overview" in viewer and viewer <= operator
    assert all(route.startswith("GET ") for route in viewer)


@pytest.mark.parametrize("line, word", [
    ("BailianAdminRole root user li", "must be viewer, operator or admin"),
    ("BailianAdminRole admin", "must be viewer, operator or admin"),
    ("BailianAdminRole admin nobody-knows x", "no loaded module knows"),
])
def test_p13_a_wrong_role_line_says_what_would_be_right(servers, line, word):
    status, text = servers.configtest(
        locations=admin_location("/bad", line + "\n"))
    assert status != 0 and "BailianAdminRole" in text and word in text
