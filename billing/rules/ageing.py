"""How old what a firm owes is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.kernel.money import ZERO, Money


class Bucket(StrEnum):
    """Days after the due date."""

    NOT_DUE = "not_due"
    TO_30 = "to_30"
    TO_60 = "to_60"
    TO_90 = "to_90"
    OVER_90 = "over_90"


_LIMITS = ((0, Bucket.NOT_DUE), (30, Bucket.TO_30), (60, Bucket.TO_60), (90, Bucket.TO_90))


def bucket_of(due_on: date, on: date) -> Bucket:
    """Where an invoice stands ``on`` a day; on its due date it is not overdue yet."""
    late = (on - due_on).days
    return next((bucket for most, bucket in _LIMITS if late <= most), Bucket.OVER_90)


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An issued invoice with something left to pay."""

    invoice_id: int
    label: str
    platform_id: int
    organization_id: int
    firm: str
    issued_on: date
    due_on: date
    due: Money


@dataclass(frozen=True, slots=True)
class FirmAge:
    """What one firm owes, by age."""

    organization_id: int
    firm: str
    buckets: dict[Bucket, Money]
    invoices: tuple[OpenInvoice, ...]

    @property
    def total(self) -> Money:
        return Money(sum(amount.fen for amount in self.buckets.values()))


def aged(invoices: Iterable[OpenInvoice], on: date) -> list[FirmAge]:
    """What each firm owes, the largest sum first."""
    firms: dict[int, list[OpenInvoice]] = {}
    for invoice in invoices:
        firms.setdefault(invoice.organization_id, []).append(invoice)
    found = []
    for organization_id, own in firms.items():
        buckets = dict.fromkeys(Bucket, ZERO)
        for invoice in own:
            buckets[bucket_of(invoice.due_on, on)] += invoice.due
        own.sort(key=lambda one: (one.due_on, one.invoice_id))
        found.append(FirmAge(organization_id, own[0].firm, buckets, tuple(own)))
    return sorted(found, key=lambda one: (-one.total.fen, one.firm))
