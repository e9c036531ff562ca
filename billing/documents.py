"""Invoices as PDF, set by Typst with the fonts of a locked package."""

from __future__ import annotations

import importlib.util
import json
import threading
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst

from app.identity.models import Organization
from app.kernel import clock
from billing.models import Invoice, InvoiceLine
from billing.rules.charge import plain, price_text
from billing.rules.numerals import capital_numerals
from billing.rules.words import InvoiceKind
from devices.rules.evidence import Evidence

TEMPLATE = Path(__file__).parent / "templates" / "invoice.typ"
# A compiler refuses a second thread; keeping one is faster than a new one each time, and each costs 70 MB.
_ONE_AT_A_TIME = threading.Lock()
TITLES = {
    InvoiceKind.INVOICE: ("服务费结算单", "Statement of service fees"),
    InvoiceKind.CREDIT_NOTE: ("红字结算单", "Credit note"),
}
EVIDENCE = {
    Evidence.METERED: "电表计量 metered",
    Evidence.BOOKED: "按预约 booked",
    Evidence.ENTERED: "人工录入 entered",
}


def invoice_pdf(invoice: Invoice) -> bytes:
    """The document of an issued invoice. The same invoice gives the same bytes."""
    return _set(json.dumps(_told(invoice), ensure_ascii=False))


def _set(data: str) -> bytes:
    with _ONE_AT_A_TIME:
        return bytes(_compiler().compile(format="pdf", sys_inputs={"data": data}))


@lru_cache(maxsize=1)
def _compiler() -> Any:
    return typst.Compiler(input=str(TEMPLATE), font_paths=[str(_fonts())], ignore_system_fonts=True)


def _fonts() -> Path:
    spec = importlib.util.find_spec("pylopdf_fonts_zh_cn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pylopdf-fonts-zh-cn is missing; run make setup")
    return Path(spec.origin).parent


def _told(invoice: Invoice) -> dict[str, Any]:
    title_zh, title_en = TITLES[invoice.kind]
    return {
        "title_zh": title_zh,
        "title_en": title_en,
        "platform_zh": invoice.platform.name_zh,
        "sample": invoice.platform.illustrative,
        "number": invoice.label,
        "issued_on": invoice.issued_on.isoformat() if invoice.issued_on else "—",
        "month": f"{invoice.month:%Y-%m}",
        "seller": _party(invoice.seller),
        "buyer": _party(invoice.organization),
        "credits": invoice.credits.label if invoice.credits else "",
        "reason": invoice.reason,
        "lines": [_line(line) for line in invoice.lines],
        "net": f"{invoice.net_fen.yuan:,.2f}",
        "tax": f"{invoice.tax_fen.yuan:,.2f}",
        "gross": f"{invoice.gross_fen.yuan:,.2f}",
        "capital": capital_numerals(invoice.gross_fen),
    }


def _party(body: Organization) -> dict[str, str]:
    return {"name": body.name, "uscc": body.uscc or "—"}


def _used(line: InvoiceLine) -> str:
    """When the use was and how it is known; of a credit note's line only the day."""
    if line.charge is None:
        return line.served_on.isoformat()
    start, end = (
        datetime.fromisoformat(line.charge.inputs[key]).astimezone(clock.FACILITY_ZONE)
        for key in ("started_at", "ended_at")
    )
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}–{until} · {EVIDENCE[Evidence(line.charge.inputs['evidence'])]}"


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "position": line.position,
        "description_zh": line.description_zh,
        "description_en": line.description_en,
        "explanation_zh": line.explanation_zh,
        "explanation_en": line.explanation_en,
        "tax_code": line.tax_code,
        "used": _used(line),
        "quantity": plain(line.quantity),
        "unit": line.unit,
        "unit_price": price_text(line.unit_price),
        "net": f"{line.net_fen.yuan:,.2f}",
        "tax_rate": f"{plain(line.tax_rate * Decimal(100))} %",
        "tax": f"{line.tax_fen.yuan:,.2f}",
        "gross": f"{line.gross_fen.yuan:,.2f}",
    }
