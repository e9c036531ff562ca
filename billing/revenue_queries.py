"""Revenue as any reading of A02–A06 counts it, by month, customer or kind of income: one query a platform."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, selectinload

from app.catalogue.models import Platform, RecognitionLevel
from app.kernel.money import Money, total
from billing.revenue_sql import BY_CASH, BY_DOCUMENT, JUDGED, LINES, ONLY_INVOICED
from billing.rules import facts as told
from billing.rules.policy import Settings
from billing.rules.revenue import Exclusion, revenue_start
from billing.rules.words import RevenueCategory


class Basis(StrEnum):
    """A02: which day a yuan belongs to."""

    INVOICE_DATE = "invoice_date"
    SERVICE_DATE = "service_date"
    CASH_DATE = "cash_date"


class Dimension(StrEnum):
    MONTH = "month"
    CATEGORY = "category"
    CUSTOMER = "customer"
    RELATION = "relation"
    REGION = "region"
    EXCLUSION = "exclusion"


KEYS: dict[Dimension, str] = {
    Dimension.MONTH: "to_char(judged.on_day, 'YYYY-MM')",
    Dimension.CATEGORY: "judged.category",
    Dimension.CUSTOMER: "(SELECT name FROM organization WHERE organization.id = judged.organization_id)",
    Dimension.RELATION: "judged.relation",
    Dimension.REGION: "judged.region",
    Dimension.EXCLUSION: "coalesce(judged.excluded, '')",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read A02–A06 and A29. ``categories`` count, ``under_review`` wait for a decision."""

    basis: Basis
    net: bool
    related: bool
    no_show_fees: bool
    categories: frozenset[RevenueCategory]
    under_review: frozenset[RevenueCategory]
    settings: Settings


@dataclass(frozen=True, slots=True)
class RevenueRow:
    """What falls under one key. ``amount`` is without or with tax as the reading says, ``counted`` what counts."""

    key: str
    lines: int
    with_tax: Money
    amount: Money
    counted: Money


@dataclass(frozen=True, slots=True)
class RevenueTable:
    """The rows of one question; every total is the sum of its rows."""

    rows: Sequence[RevenueRow]

    @property
    def with_tax(self) -> Money:
        return total([row.with_tax for row in self.rows])

    @property
    def amount(self) -> Money:
        return total([row.amount for row in self.rows])

    @property
    def counted(self) -> Money:
        return total([row.counted for row in self.rows])

    @property
    def lines(self) -> int:
        return sum(row.lines for row in self.rows)


def reading_of(settings: Settings) -> Reading:
    parts = {one: settings.part("A05_revenue_categories", one) for one in RevenueCategory}
    return Reading(
        basis=Basis(settings.text("A02_revenue_basis")),
        net=settings.text("A03_revenue_tax") == "net",
        related=settings.text("A04_related_party") != "exclude",
        no_show_fees=settings.flag("A29_no_show_fee_in_revenue"),
        categories=frozenset(one for one, counts in parts.items() if counts and counts != "review"),
        under_review=frozenset(one for one, counts in parts.items() if counts == "review"),
        settings=settings,
    )


def revenue_by(
    session: Session,
    dimension: Dimension,
    *,
    platform_ids: Collection[int],
    reading: Reading,
    since: date,
    until: date,
) -> RevenueTable:
    """What the platforms earned from ``since`` to before ``until``, by ``dimension``.

    O(entries of the time) by date of invoice; O(entries of the platform) by the other days.
    """
    rows: dict[str, list[Row[Any]]] = {}
    for platform_id in sorted(platform_ids):
        grouped = (
            # The key is one of ours, written above.
            f"SELECT {KEYS[dimension]} AS key, count(*) AS lines, sum(with_tax) AS with_tax, sum(amount) AS amount,"  # noqa: S608
            " coalesce(sum(amount) FILTER (WHERE excluded IS NULL), 0) AS counted FROM judged GROUP BY 1"
        )
        for row in _asked(session, grouped, platform_id, reading, since, until):
            rows.setdefault(row.key, []).append(row)
    return RevenueTable([_together(key, rows[key]) for key in sorted(rows)])


def revenue_entries_of(
    session: Session, platform_id: int, *, reading: Reading, since: date, until: date
) -> list[tuple[int, date, Money, Money, Exclusion | None]]:
    """Every entry: line id, day, amount, amount with tax, why it does not count. By day and line."""
    every = "SELECT line_id, on_day, amount, with_tax, excluded FROM judged ORDER BY on_day, line_id, amount"
    return [
        (
            row.line_id,
            row.on_day,
            Money(int(row.amount)),
            Money(int(row.with_tax)),
            None if row.excluded is None else Exclusion(row.excluded),
        )
        for row in _asked(session, every, platform_id, reading, since, until)
    ]


def _asked(
    session: Session, question: str, platform_id: int, reading: Reading, since: date, until: date
) -> Sequence[Row[Any]]:
    by_invoice = reading.basis is Basis.INVOICE_DATE
    lines = LINES.format(only=ONLY_INVOICED if by_invoice else "")
    entries = BY_CASH if reading.basis is Basis.CASH_DATE else BY_DOCUMENT
    asked = {
        "platform": platform_id, "since": since, "until": until,
        "start": _start(session, platform_id, reading.settings),
        "net": reading.net, "related": reading.related, "no_show_fees": reading.no_show_fees,
        "categories": sorted(reading.categories), "under_review": sorted(reading.under_review),
    }  # fmt: skip
    if entries is BY_DOCUMENT:
        asked["by_service"] = reading.basis is Basis.SERVICE_DATE
    return session.execute(text(f"WITH RECURSIVE {lines}, {entries}, {JUDGED} {question}"), asked).all()


def _start(session: Session, platform_id: int, settings: Settings) -> date | None:
    """The first day that counts (A06), by the same rule as the subsidy's."""
    platform = session.get_one(Platform, platform_id, options=[selectinload(Platform.recognitions)])
    certified = next((one for one in platform.recognitions if one.level is RecognitionLevel.QUANZHOU), None)
    facts = told.Platform(
        name=platform.name_zh,
        operators=(),
        certified_on=certified.recognised_on if certified else None,
        certification_document=certified.document if certified else None,
        operating_since=platform.operating_since,
    )
    return revenue_start(facts, settings)


def _together(key: str, rows: Sequence[Row[Any]]) -> RevenueRow:
    sums: Mapping[str, Money] = {
        name: total([Money(int(getattr(row, name))) for row in rows]) for name in ("with_tax", "amount", "counted")
    }
    return RevenueRow(key, sum(row.lines for row in rows), **sums)
