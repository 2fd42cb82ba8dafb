# SPDX-License-Identifier: Apache-2.0
"""What a Location says holds for its requests, and a nearer one wins."""
import pytest

from env.environment import APPS

OTHER = APPS["neighbour"][0]
NESTED = """
<Location "/outer">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianApp neighbour
    BailianChatPage off
</Location>
<Location "/outer/inner">
    SetHandler bailian-sse
    BailianApp default
    BailianChatPage on
</Location>
"""
pytestmark = pytest.mark.server(locations=NESTED)


def app_asked(env):
    """App id of the last request that the upstream got."""
    return env.bailian.request(-1)["path"].split("/")[-2]


def test_request_without_an_app_gets_that_of_its_location(env):
    env.ask(base="/outer")
    assert app_asked(env) == OTHER


def test_app_of_the_request_goes_first(env):
    env.ask(base="/outer", app="default")
    assert app_asked(env) == APPS["default"][0]


def test_inner_location_has_an_app_of_its_own_and_the_outer_rest(env):
    stream = env.ask(base="/outer/inner")
    assert app_asked(env) == APPS["default"][0]
    assert stream.status == 200  # BailianAnonymous comes from outside


@pytest.mark.parametrize("base,status", [
    ("/bailian", 200), ("/outer", 404), ("/outer/inner", 200)])
def test_chat_page_is_there_where_it_is_not_switched_off(env, base, status):
    assert env.get(base + "/chat/").status == status
