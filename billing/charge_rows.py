"""The charges of a case as rows: what all of them share, one for each line, one for each difference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.interval import local_month
from billing.gathering import Case
from billing.models import Tariff
from billing.rules.adjustment import Difference
from billing.rules.line_words import LINE_KINDS, UNIT_WORDS
from billing.rules.pricing.outcome import Priced, PricedLine
from billing.rules.pricing.terms import Terms
from billing.rules.words import ChargeKind, ChargeState
from devices.rules.evidence import Evidence

LEAST_CERTAIN_FIRST = (Evidence.ENTERED, Evidence.BOOKED, Evidence.METERED)


@dataclass(frozen=True, slots=True)
class Priceable:
    """A case that has a price, and for whom it is."""

    tariff: Tariff
    terms: Terms
    relation: CustomerRelation
    organization_id: int


def common_of(case: Case, priced: Priced, terms: Priceable, at: datetime) -> dict[str, Any]:
    """What all charges of a settlement share. ``served_at`` lies in the month that the price belongs to."""
    month = local_month(priced.billing_month.year, priced.billing_month.month)
    return {
        "usage_session_id": case.sessions[0].session_id if case.sessions else None,
        "platform_id": case.equipment.platform_id,
        "organization_id": terms.organization_id,
        "equipment_id": case.equipment.id,
        "tariff_id": terms.tariff.id,
        "tax_code": terms.tariff.tax_code,
        "category": terms.tariff.category,
        "relation": terms.relation,
        "inputs": _inputs(case),
        "served_at": min(max(case.day, month.start), month.end - timedelta(minutes=1)),
        "state": ChargeState.PROPOSED,
        "charged_at": at,
    }


def line_row(position: int, line: PricedLine) -> dict[str, Any]:
    kind = LINE_KINDS[line.kind]
    hours = kind is ChargeKind.HOURS and line.unit == "minute"
    quantity = line.quantity / 60 if hours else line.quantity
    return {
        "position": position,
        "kind": kind,
        "quantity": round(quantity, 4),
        "unit": "h" if hours else UNIT_WORDS[line.unit],
        "unit_price": round(line.unit_price if line.unit_price is not None else _average(line, quantity), 4),
        "net_fen": line.amount.net,
        "tax_fen": line.amount.tax,
        "gross_fen": line.amount.gross,
        "tax_rate": line.vat_rate,
        "explanation_zh": line.explanation_zh,
        "explanation_en": line.explanation_en,
    }


def _average(line: PricedLine, quantity: Decimal) -> Decimal:
    return line.amount.gross.yuan / quantity if quantity else line.amount.gross.yuan


def difference_row(position: int, one: Difference) -> dict[str, Any]:
    return {
        "position": position,
        "kind": ChargeKind.ADJUSTMENT,
        "quantity": Decimal(1),
        "unit": UNIT_WORDS["item"],
        "unit_price": one.amount.gross.yuan,
        "net_fen": one.amount.net,
        "tax_fen": one.amount.tax,
        "gross_fen": one.amount.gross,
        "tax_rate": one.vat_rate,
        "explanation_zh": one.explanation_zh,
        "explanation_en": one.explanation_en,
    }


def _inputs(case: Case) -> dict[str, Any]:
    """What the paper and the evidence show of the case: when, how known, from what."""
    told: dict[str, Any] = {
        "started_at": case.span.start.isoformat(),
        "ended_at": case.span.end.isoformat(),
        "evidence": next(
            (one.value for one in LEAST_CERTAIN_FIRST if any(run.evidence is one for run in case.sessions)),
            Evidence.BOOKED.value,
        ),
        "sessions": [
            {
                "id": one.session_id,
                "started_at": one.when.start.isoformat(),
                "ended_at": one.when.end.isoformat(),
                "running_s": int(one.running.total_seconds()),
                "energy_mwh": one.energy_mwh,
                "gap_s": int(one.gap.total_seconds()),
                "evidence": one.evidence.value,
                "readings": one.readings_count,
                "readings_digest": one.readings_digest,
                "profile_version": one.profile_version,
                "rule_version": one.rule_version,
            }
            for one in case.sessions
        ],
    }
    if case.reservation_id is not None:
        told["reservation_id"] = case.reservation_id
    if case.sessions:
        told["started_at"] = case.sessions[0].when.start.isoformat()
        told["ended_at"] = max(one.when.end for one in case.sessions).isoformat()
    return told
