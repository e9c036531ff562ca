from __future__ import annotations

from datetime import date, timedelta

import pytest

from app.kernel.errors import NotFound
from app.kernel.money import ZERO, Money
from billing.correcting import credit, what_is_left
from billing.models import UseSettlement
from billing.paying import record_payment
from billing.recognizing import recognize_revenue
from billing.rules.revenue import Exclusion
from billing.rules.words import ChargeState, RevenueCategory
from billing.statements import (
    charges_of_sessions,
    evidence_path,
    invoice_view,
    invoices_of,
    month_review,
    platform_year,
)
from tests import makers
from tests.integration.test_billing import AT, JUNE, World


@pytest.fixture
def world(session) -> World:
    return World(session)


def test_a_month_shows_each_firms_charges_and_what_waits(session, world):
    usage = world.used()
    world.used(firm=False)
    world.charge()
    review = month_review(session, platform_id=world.platform.id, month=JUNE)
    (firm,) = review.firms
    assert firm.organization is world.firm
    assert firm.gross() == firm.gross(ChargeState.PROPOSED) == Money.of(2640)
    assert not firm.ready
    (problem,) = review.problems
    assert (problem.reason, problem.organization_id) == ("no_organization", None)
    assert len(charges_of_sessions(session, [usage.id])[usage.id]) == 2
    world.approve_all()
    assert month_review(session, platform_id=world.platform.id, month=JUNE).firms[0].ready
    world.issue()
    (firm,) = month_review(session, platform_id=world.platform.id, month=JUNE).firms
    assert firm.gross(ChargeState.INVOICED) == Money.of(2640)
    assert not firm.ready
    assert month_review(session, platform_id=world.platform.id, month=date(2026, 5, 1)).problems == []


def test_free_and_own_use_do_not_wait_for_a_person(session, world):
    world.firm = world.operator
    world.used()
    world.charge()
    assert session.query(UseSettlement).count() == 1
    assert month_review(session, platform_id=world.platform.id, month=JUNE).problems == []


def test_an_invoice_shows_what_was_paid_credited_and_is_left(session, world):
    invoice = world.invoice()
    hours, setup = invoice.lines
    record_payment(
        session, invoice.id, paid_on=JUNE, amount=Money.of(1000), reference="", by=world.finance.id, at=AT
    )  # fmt: skip
    note = credit(session, invoice.id, amounts={setup.id: Money.of(200)}, reason="示例", by=world.finance.id, at=AT)
    view = invoice_view(session, invoice.id)
    assert view.due == Money.of(1440)
    left = what_is_left(session, invoice)
    assert [(line, gross) for line, (_, gross) in left.items()] == [
        (hours.id, Money.of(1440)),
        (setup.id, Money.of(1000)),
    ]
    assert list(view.notes) == [note]
    assert invoice_view(session, note.id).due == ZERO
    with pytest.raises(NotFound):
        invoice_view(session, 0)


def test_a_firm_lists_only_its_own_invoices(session, world):
    invoice = world.invoice()
    assert list(session.scalars(invoices_of(organization_ids=[world.firm.id], month=JUNE))) == [invoice]
    assert list(session.scalars(invoices_of(organization_ids=[world.operator.id]))) == []
    assert list(session.scalars(invoices_of(organization_ids=[]))) == []


def test_a_year_says_what_counts_and_leads_back_to_the_use(session, world):
    usage = world.used()
    world.charge()
    world.approve_all()
    invoice = world.issue()
    note = credit(
        session, invoice.id, amounts={invoice.lines[0].id: Money.of(100)}, reason="示例", by=world.finance.id, at=AT
    )
    recognize_revenue(session, at=AT)
    year = platform_year(session, world.platform.id, 2026)
    net = invoice.net_fen + note.net_fen
    assert year.by_month == {date(2026, 7, 1): (net, ZERO)}
    assert year.by_category == {RevenueCategory.INSTRUMENT_SHARING: (net, ZERO)}
    assert year.grant is not None
    assert year.grant.payable.amount == ZERO
    assert [step.code for step in year.steps][:1] == ["revenue"]
    path = evidence_path(session, note.lines[0].id)
    assert path.credited is invoice.lines[0]
    assert [one.session_id for one in path.used] == [usage.id]
    assert path.revenue is not None
    assert path.charge.explanation_zh == invoice.lines[0].explanation_zh
    assert platform_year(session, world.platform.id, 2020).revenue.entries == ()


def test_own_use_is_listed_but_never_counts(session, world):
    world.firm = world.operator
    makers.tariff(session, of=world.equipment, customer_class="internal", terms=makers.terms(setup_fee="0.00"))
    invoice = world.invoice()
    recognize_revenue(session, at=AT + timedelta(days=1))
    year = platform_year(session, world.platform.id, 2026)
    assert year.by_month == {date(2026, 7, 1): (ZERO, invoice.net_fen)}
    assert set(year.revenue.excluded) == {Exclusion.OWN_USE}
