from __future__ import annotations

import pytest

from billing.answering import POLICY, settings_in_force
from billing.assessing import facts_of
from billing.rules.forecast import forecast
from tests.integration import page_world
from tests.integration.test_pages import client_of


@pytest.fixture
def world(session) -> page_world.World:
    return page_world.build(session)


def test_an_operator_sees_what_more_would_bring_and_what_does_not_count(app, session, world):
    operator, here = client_of(app, world, "operator"), f"/subsidy/{world.platform.code}/forecast"
    today = page_world.clock.local_date(page_world.clock.now())
    told = forecast(
        facts_of(session, world.platform.id), settings_in_force(session), POLICY, on=today,
        more=page_world.Money.of("200000"),
    )  # fmt: skip
    page = operator.get(f"{here}?more=200,000")
    assert page.status_code == 200
    assert f"{told.more_brings.yuan:,.2f}" == "60,000.00"
    assert "再开具 ¥200,000.00 会带来" in page.text
    for figure in (told.more_brings, told.cap_left, *(one.payable for one in told.years)):
        assert f"¥{figure.yuan:,.2f}" in page.text
    assert "设备购置补助" in page.text
    for wrong in ("0", "-5", "很多", "99999999999"):
        refused = operator.get(f"{here}?more={wrong}")
        assert refused.status_code == 200
        assert 'id="more-error"' in refused.text
        assert "再开具 ¥100,000.00 会带来" in refused.text
    assert operator.get(f"{here}?format=xlsx").data[:2] == b"PK"
    assert 'lang="en"' in client_of(app, world, "official", "en").get(here).text
    for who, status in (("member", 403), ("other operator", 404), ("administrator", 403)):
        assert client_of(app, world, who).get(here).status_code == status
