"""No page offers a way on which its reader would be turned back."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlsplit

import pytest

from tests.integration import page_world
from tests.integration.test_pages import client_of

LINK = re.compile(r'<a [^>]*href="(/[^"]*)"')
FEW = 3
"""So many links to the same kind of page are followed."""


@pytest.mark.parametrize("who", [None, "member", "manager", "operator", "official", "administrator"])
def test_every_link_that_somebody_sees_can_be_followed(app, session, who):
    world = page_world.build(session)
    session.commit()
    client = client_of(app, world, who)
    routes = app.url_map.bind("localhost")
    waiting, followed, met = ["/"], set(), {}
    while waiting:
        address = waiting.pop()
        answer = client.get(address)
        assert answer.status_code < 400, f"{who} is offered {address}: {answer.status_code}"
        followed.add(address)
        for link in map(
            unescape, LINK.findall(answer.get_data(as_text=True)) if answer.mimetype == "text/html" else ()
        ):
            endpoint, _ = routes.match(urlsplit(link).path)
            if link not in followed and met.setdefault(endpoint, 0) < FEW and endpoint != "static":
                met[endpoint] += 1
                waiting.append(link)
    assert len(met) > 5
