"""What an agreed line of commissioned work costs, in the same words as hours of use."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.booking.rules.service import AgreedLine
from app.booking.rules.words import QuoteUnit, RequestKind
from billing.rules.figures import plain, price_text
from billing.rules.tax import Taxed, taxed
from billing.rules.words import RevenueCategory

TAX_CODE = "3040105000000000000"
"""专业技术服务, for work that names no equipment with a code of its own."""

CATEGORIES: dict[RequestKind, RevenueCategory] = {
    RequestKind.COMMISSIONED_TEST: RevenueCategory.PERFORMANCE_TEST,
    RequestKind.SAMPLE: RevenueCategory.PERFORMANCE_TEST,
    RequestKind.CONTRACT_PROCESSING: RevenueCategory.CONTRACT_PILOT_PROCESSING,
}
"""Which kind of income the work is for the subsidy (A05)."""

UNITS: dict[QuoteUnit, tuple[str, str]] = {
    QuoteUnit.HOUR: ("小时", "h"),
    QuoteUnit.RUN: ("次", "run(s)"),
    QuoteUnit.BATCH: ("批", "batch(es)"),
    QuoteUnit.SAMPLE: ("样", "sample(s)"),
    QuoteUnit.KILOGRAM: ("kg", "kg"),
    QuoteUnit.METRE: ("m", "m"),
    QuoteUnit.PIECE: ("件", "piece(s)"),
}


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One line of an accepted quote; ``unit_price`` in yuan with tax."""

    quantity: Decimal
    unit_price: Decimal
    amount: Taxed
    explanation_zh: str
    explanation_en: str


def service_line(line: AgreedLine, *, version: int) -> ServiceLine:
    """The agreed gross with its tax split off; what was agreed is never computed anew."""
    amount = taxed(line.gross.yuan, rate=line.tax_rate, includes_tax=True)
    unit_zh, unit_en = UNITS[line.unit]
    quantity, price, rate = plain(line.quantity), price_text(line.price_yuan), plain(line.tax_rate * 100)
    gross, tax = f"{amount.gross.yuan:,.2f}", f"{amount.tax.yuan:,.2f}"
    return ServiceLine(
        line.quantity,
        line.price_yuan,
        amount,
        f"报价第 {version} 版第 {line.position} 行“{line.label}”："
        f"{quantity} {unit_zh} × ¥{price} = ¥{gross}（含 {rate} % 税 ¥{tax}）",
        f"Quote version {version}, line {line.position}, “{line.label}”: "
        f"{quantity} {unit_en} × ¥{price} = ¥{gross} (including {rate} % VAT ¥{tax})",
    )
