from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from app.catalogue.models import Recognition, RecognitionLevel
from app.kernel.money import Money, total
from billing.answering import POLICY, answer, settings_in_force
from billing.assessing import facts_of, judging_facts
from billing.correcting import credit
from billing.invoicing import issue_month
from billing.models import Invoice, Payment, RevenueEntry
from billing.recognizing import recognize_revenue
from billing.revenue_lines import YearLines
from billing.revenue_queries import Basis, Dimension, reading_of, revenue_by, revenue_entries_of
from billing.rules.revenue import revenue_entries
from billing.rules.summing import summed
from billing.statements import platform_year
from tests.integration.close_world import CloseWorld

SINCE, UNTIL = date(2026, 1, 1), date(2028, 1, 1)
MONTHS = [date(2026, month, 1) for month in (5, 6, 11)]
READINGS = [
    {
        "A02_revenue_basis": basis,
        "A03_revenue_tax": tax,
        "A04_related_party": related,
        "A06_revenue_from": start,
        "A29_no_show_fee_in_revenue": fees,
        "A05_revenue_categories": {"instrument_sharing": sharing},
    }
    for basis, tax, related, start, (fees, sharing) in itertools.product(
        ("invoice_date", "service_date", "cash_date"),
        ("net", "gross"),
        ("exclude", "include"),
        ("max(recognition_date, operating_date)", "calendar_year"),
        ((True, True), (False, True), (False, "review"), (False, False)),
    )
]


class Earned(CloseWorld):
    """Invoices of several months, some late lines' worth of kinds; paid in part, too much, and back; credited."""

    def __init__(self, session, chance: random.Random) -> None:
        super().__init__(session, firms=5, at=datetime(2026, 5, 1, tzinfo=UTC))
        self.session, self.chance = session, chance
        session.add(
            Recognition(
                platform_id=self.platform, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 6, 10),
                document="示例认定〔2026〕1号",
            )
        )  # fmt: skip
        for place, month in enumerate(MONTHS):
            self.add(session, 15, month=month, first=place * 1000)
            session.execute(
                text(
                    "UPDATE charge SET"
                    " category = (ARRAY['instrument_sharing', 'type_test', 'goods_sale'])[1 + id % 3],"
                    " relation = (ARRAY['external', 'external', 'related_party', 'own_use'])[1 + id % 4],"
                    " kind = CASE WHEN id % 7 = 0 THEN 'no_show' ELSE kind END WHERE state = 'approved'"
                )
            )
            for firm in self.firms:
                self._billed(firm, month)
        recognize_revenue(session, at=self.at)

    def _billed(self, firm: int, month: date) -> None:
        at = datetime(month.year, month.month, 1, 2, tzinfo=UTC) + timedelta(days=31 + self.chance.randrange(30))
        told = {"platform_id": self.platform, "organization_id": firm, "month": month, "by": self.finance}
        invoice = issue_month(self.session, at=at, **told)
        first = at.date()
        for _ in range(self.chance.randrange(4)):
            first += timedelta(days=self.chance.randrange(40))
            self._paid(invoice, first, self.chance.randrange(1, invoice.gross_fen.fen))
        for _ in range(self.chance.randrange(3)):
            line = self.chance.choice(invoice.lines)
            back = Money(self.chance.randrange(1, line.gross_fen.fen // 3))
            credit(
                self.session, invoice.id, amounts={line.id: back}, reason="示例", by=self.finance,
                at=at + timedelta(days=self.chance.randrange(80)),
            )  # fmt: skip
        if self.chance.random() < 0.3:
            self._paid(invoice, first + timedelta(days=5), -self.chance.randrange(1, 50_000))

    def _paid(self, invoice: Invoice, on: date, fen: int) -> None:
        self.session.add(
            Payment(
                invoice_id=invoice.id, payer_id=invoice.organization_id,
                kind="receipt" if fen > 0 else "refund", paid_on=on, amount_fen=Money(fen),
                reference="示例", reason="示例", recorded_by=self.finance, recorded_at=self.at,
            )
        )  # fmt: skip
        self.session.flush()


@pytest.mark.parametrize("seed", range(3))
def test_every_reading_as_a_query_is_what_the_subsidys_rule_says(session, seed):
    world = Earned(session, random.Random(seed))
    facts = facts_of(session, world.platform)
    found: Counter[object] = Counter()
    for given in READINGS:
        settings = POLICY.settings_with(given)
        by_rule: dict[tuple[object, ...], list[int]] = {}
        for entry in revenue_entries(facts, settings):
            sums = by_rule.setdefault((int(entry.line_ref or 0), entry.on, entry.excluded), [0, 0])
            sums[0], sums[1] = sums[0] + entry.amount.fen, sums[1] + entry.with_tax.fen
        by_query: dict[tuple[object, ...], list[int]] = {}
        for line, on, amount, with_tax, excluded in revenue_entries_of(
            session, world.platform, reading=reading_of(settings), since=SINCE, until=UNTIL
        ):
            sums = by_query.setdefault((line, on, excluded), [0, 0])
            sums[0], sums[1] = sums[0] + amount.fen, sums[1] + with_tax.fen
            found[excluded] += 1
        assert {k: v for k, v in by_query.items() if any(v)} == {k: v for k, v in by_rule.items() if any(v)}, given
    assert len(found) >= 6  # the world shows nearly every reason


def test_the_default_reading_reconciles_to_the_invoices_and_to_the_platforms_year(session):
    world = Earned(session, random.Random(7))
    reading = reading_of(settings_in_force(session))
    asked = {"platform_ids": [world.platform], "reading": reading, "since": SINCE, "until": UNTIL}
    gross, net = session.execute(
        select(func.sum(RevenueEntry.net_fen + RevenueEntry.tax_fen), func.sum(RevenueEntry.net_fen))
    ).one()
    invoiced = session.scalar(select(func.sum(Invoice.gross_fen)))
    for dimension in Dimension:
        table = revenue_by(session, dimension, **asked)
        assert table.with_tax.fen == getattr(gross, "fen", gross) == int(invoiced.fen)
        assert table.amount.fen == int(net.fen)
        assert table.lines == session.scalar(select(func.count()).select_from(RevenueEntry))
    months = {row.key: row for row in revenue_by(session, Dimension.MONTH, **asked).rows}
    # The subsidy lists a credit note in the year of its invoice, with the day of the note: so by month they agree.
    judged = [entry for year in (2026, 2027) for entry in platform_year(session, world.platform, year).revenue.entries]
    for key, row in months.items():
        own = [entry for entry in judged if f"{entry.on:%Y-%m}" == key]
        assert (row.with_tax, row.counted) == (total([e.with_tax for e in own]), total([e.counted for e in own]))
    assert {f"{entry.on:%Y-%m}" for entry in judged} == months.keys()


def test_the_database_adds_up_what_is_judged_alike_as_the_rules_do(session):
    world = Earned(session, random.Random(7))
    facts = facts_of(session, world.platform)
    assert any(one.credit_note_of for one in facts.documents)
    assert judging_facts(session, world.platform, settings_in_force(session)) == summed(facts)
    by_cash = POLICY.settings_with({"A02_revenue_basis": "cash_date"})
    assert judging_facts(session, world.platform, by_cash) == facts


@pytest.mark.parametrize("basis", ["invoice_date", "service_date", "cash_date"])
@pytest.mark.parametrize("tax", ["net", "gross"])
def test_the_lines_of_a_year_are_looked_up_as_they_were_judged(session, basis, tax):
    world = Earned(session, random.Random(11))
    for key, value in (("A02_revenue_basis", basis), ("A03_revenue_tax", tax)):
        if settings_in_force(session).values[key] != value:
            answer(session, key, value, reason="示例", by=world.finance, at=world.at)
    for year in (2026, 2027):
        wanted = platform_year(session, world.platform, year, lines=True).revenue.entries
        told = platform_year(session, world.platform, year)
        lines = YearLines(world.platform, year, told.basis, told.revenue.entries)
        found = list(lines.rows(session))
        assert Counter(map(as_shown, found)) == Counter(map(as_shown, wanted))
        assert lines.count(session) == len(wanted)
        if basis != "cash_date":
            assert list(lines.rows(session, limit=3, offset=2)) == found[2:5]


def as_shown(entry):
    return (
        entry.document_no, entry.line_no, entry.line_ref, entry.on, entry.category, entry.with_tax, entry.amount,
        entry.excluded,
    )  # fmt: skip


def test_money_that_came_for_all_of_a_document_counts_all_of_it(session):
    world = CloseWorld(session, firms=1, at=datetime(2026, 5, 1, tzinfo=UTC))
    session.add(
        Recognition(platform_id=world.platform, level=RecognitionLevel.QUANZHOU, recognised_on=SINCE, document="示例")
    )
    world.add(session, 7, month=date(2026, 5, 1))
    at = datetime(2026, 6, 3, tzinfo=UTC)
    told = {"platform_id": world.platform, "organization_id": world.firms[0], "by": world.finance, "at": at}
    invoice = issue_month(session, month=date(2026, 5, 1), **told)
    recognize_revenue(session, at=at)
    left = invoice.gross_fen.fen
    for number, part in enumerate((333_333, 1, 100_007, left)):
        paid = Money(min(part, left))
        session.add(
            Payment(
                invoice_id=invoice.id, payer_id=invoice.organization_id,
                paid_on=date(2026, 7 + number, 1), amount_fen=paid, reference="示例",
                recorded_by=world.finance, recorded_at=at,
            )
        )  # fmt: skip
        left -= paid.fen
    session.flush()
    reading = reading_of(POLICY.settings_with({"A02_revenue_basis": "cash_date"}))
    assert reading.basis is Basis.CASH_DATE
    table = revenue_by(
        session, Dimension.MONTH, platform_ids=[world.platform], reading=reading, since=SINCE, until=UNTIL
    )
    assert [row.key for row in table.rows] == ["2026-07", "2026-08", "2026-09", "2026-10"]
    assert (table.with_tax, table.counted) == (invoice.gross_fen, invoice.net_fen)
