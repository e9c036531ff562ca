"""Statements as PDF, set by Typst with the fonts of a locked package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from app.kernel import clock
from app.kernel.money import Money
from billing.models import Invoice, InvoiceLine
from billing.rules.figures import plain, price_text
from billing.rules.numerals import capital_numerals
from billing.rules.words import InvoiceKind
from billing.typesetting import Press
from devices.rules.evidence import Evidence

PRESS = Press("invoice.typ")
TITLES = {
    InvoiceKind.INVOICE: ("服务费结算单", "Statement of service fees"),
    InvoiceKind.CREDIT_NOTE: ("红字通知单", "Credit note"),
}
EVIDENCE = {
    Evidence.METERED: "电表计量 metered",
    Evidence.BOOKED: "按预约 booked",
    Evidence.ENTERED: "人工录入 entered",
}


@dataclass(frozen=True, slots=True)
class DepositUsed:
    """A prepaid deposit as the statement tells it (预存款)."""

    opening: Money
    used: Money
    closing: Money


@dataclass(frozen=True, slots=True)
class PayerShare:
    """What one of several payers bears of the statement."""

    payer: str
    uscc: str
    percent: Decimal
    net: Money
    tax: Money
    gross: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a statement says beside the invoice itself. What is not known is left out, or a line to write on.

    ``words`` are the names as they were when it was issued; without them those of today.
    """

    words: Mapping[str, Any] | None = None

    contract_no: str = ""
    dispute_until: date | None = None
    preparer: str = ""
    reviewers: Sequence[str] = ()
    deposit: DepositUsed | None = None
    shares: Sequence[PayerShare] = ()


def invoice_pdf(invoice: Invoice, around: Around | None = None) -> bytes:
    """The document of an issued invoice. The same invoice gives the same bytes."""
    return printed(told(invoice, around))


def told(invoice: Invoice, around: Around | None = None) -> str:
    """All that the document says, as the JSON that :func:`printed` takes."""
    return json.dumps(_told(invoice, around or Around()), ensure_ascii=False)


def printed(told_text: str) -> bytes:
    return PRESS.printed(told_text)


def _told(invoice: Invoice, around: Around) -> dict[str, Any]:
    title_zh, title_en = TITLES[invoice.kind]
    words = around.words or words_now(invoice)
    return {
        "title_zh": title_zh,
        "title_en": title_en,
        "platform_zh": words["platform"]["zh"],
        "platform_en": words["platform"]["en"],
        "sample": words["platform"]["sample"],
        "number": words["label"],
        "issued_on": _day(invoice.issued_on),
        "month": f"{invoice.month:%Y-%m}",
        "period": period_of(invoice),
        "seller": _party(words["seller"]),
        "buyer": _party(words["buyer"]),
        "contract_no": around.contract_no,
        "credits": words["credits"],
        "reason": invoice.reason,
        "lines": [_line(line, words["equipment"]) for line in invoice.lines],
        "rates": [_rate(rate, own) for rate, own in by_rate(invoice)],
        "net": yuan(invoice.net_fen),
        "tax": yuan(invoice.tax_fen),
        "gross": yuan(invoice.gross_fen),
        "capital": capital_numerals(invoice.gross_fen),
        "shares": [_share(one) for one in around.shares],
        "deposit": None if around.deposit is None else _deposit(around.deposit),
        "preparer": around.preparer,
        "reviewers": "、".join(around.reviewers),
        "dispute_until": _day(around.dispute_until) if around.dispute_until else "",
    }


def period_of(invoice: Invoice) -> str:
    """From the first to the last day of service."""
    days = [line.served_on for line in invoice.lines]
    if not days:
        return f"{invoice.month:%Y-%m}"
    first, last = min(days), max(days)
    return first.isoformat() if first == last else f"{first.isoformat()} – {last.isoformat()}"


def by_rate(invoice: Invoice) -> list[tuple[Decimal, list[InvoiceLine]]]:
    """The lines of each VAT rate, by rate."""
    rates = sorted({line.tax_rate for line in invoice.lines})
    return [(rate, [line for line in invoice.lines if line.tax_rate == rate]) for rate in rates]


def yuan(amount: Money) -> str:
    return f"{amount.yuan:,.2f}"


def percent(rate: Decimal) -> str:
    return f"{plain(rate * Decimal(100))} %"


def _day(on: date | None) -> str:
    return on.isoformat() if on else "—"


def words_now(invoice: Invoice) -> dict[str, Any]:
    """The names that an invoice would be issued with now; an issued one has its own."""
    charges = [line.charge for line in invoice.lines if line.charge is not None]
    return {
        "label": invoice.label,
        "credits": invoice.credits.label if invoice.credits else "",
        "platform": {
            "zh": invoice.platform.name_zh, "en": invoice.platform.name_en, "sample": invoice.platform.illustrative,
        },
        "seller": {"name": invoice.seller.name, "uscc": invoice.seller.uscc or ""},
        "buyer": {"name": invoice.organization.name, "uscc": invoice.organization.uscc or ""},
        "equipment": {str(one.equipment_id): one.equipment.code for one in charges if one.equipment is not None},
    }  # fmt: skip


def equipment_code(line: InvoiceLine, codes: Mapping[str, str]) -> str:
    return codes.get(str(line.charge.equipment_id), "") if line.charge is not None else ""


def _party(body: Mapping[str, str]) -> dict[str, str]:
    return {"name": body["name"], "uscc": body["uscc"] or "—"}


def _rate(rate: Decimal, lines: Sequence[InvoiceLine]) -> dict[str, str]:
    net, tax = sum(line.net_fen.fen for line in lines), sum(line.tax_fen.fen for line in lines)
    return {"rate": percent(rate), "net": yuan(Money(net)), "tax": yuan(Money(tax)), "gross": yuan(Money(net + tax))}


def _share(one: PayerShare) -> dict[str, str]:
    return {
        "payer": one.payer,
        "uscc": one.uscc or "—",
        "percent": f"{plain(one.percent)} %",
        "net": yuan(one.net),
        "tax": yuan(one.tax),
        "gross": yuan(one.gross),
    }


def _deposit(one: DepositUsed) -> dict[str, str]:
    return {"opening": yuan(one.opening), "used": yuan(one.used), "closing": yuan(one.closing)}


def used(line: InvoiceLine) -> str:
    """What the line rests on, as far as its charge says: when the use was and how it is known, or what was agreed."""
    inputs = line.charge.inputs if line.charge is not None else {}
    said = [_span(inputs["started_at"], inputs["ended_at"])] if {"started_at", "ended_at"} <= inputs.keys() else []
    if "signed_at" in inputs:
        said.append(f"{_local(inputs['signed_at']):%Y-%m-%d} 验收 signed off")
    if not said:
        said.append(line.served_on.isoformat())
    if reservation := inputs.get("reservation_id"):
        said.append(f"预约 reservation #{reservation}")
    if evidence := inputs.get("evidence"):
        said.append(EVIDENCE[Evidence(evidence)])
    return " · ".join(said)


def _span(started_at: str, ended_at: str) -> str:
    start, end = _local(started_at), _local(ended_at)
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}–{until}"


def _local(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(clock.FACILITY_ZONE)


def _line(line: InvoiceLine, codes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "position": line.position,
        "description_zh": line.description_zh,
        "description_en": line.description_en,
        "explanation_zh": line.explanation_zh,
        "explanation_en": line.explanation_en,
        "tax_code": line.tax_code,
        "equipment": equipment_code(line, codes),
        "used": used(line),
        "quantity": plain(line.quantity),
        "unit": line.unit,
        "unit_price": price_text(line.unit_price),
        "net": yuan(line.net_fen),
        "tax_rate": percent(line.tax_rate),
        "tax": yuan(line.tax_fen),
        "gross": yuan(line.gross_fen),
    }
