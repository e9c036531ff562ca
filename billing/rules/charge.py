"""What a stretch of use costs, with a sentence that lets the customer work it out again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from app.kernel.money import Money
from billing.rules.tax import Taxed, taxed
from billing.rules.words import ChargeKind, RevenueCategory

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Price:
    """One tariff version: yuan per hour, a fee per run, the least hours, the step that time is rounded up to."""

    tariff_id: int
    rate_yuan: Decimal
    setup_fee: Money
    minimum_hours: Decimal
    increment: timedelta
    tax_rate: Decimal
    tax_code: str
    includes_tax: bool
    category: RevenueCategory


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One line. ``quantity`` is hours or runs; ``unit_price`` in yuan, with tax if the tariff says so."""

    kind: ChargeKind
    quantity: Decimal
    unit_price: Decimal
    amount: Taxed
    explanation_zh: str
    explanation_en: str


def billable_hours(used: timedelta, price: Price) -> Decimal:
    """Hours to pay: the used time rounded up to the increment, and at least the minimum."""
    return max(Decimal(_rounded_up(used, price) // SECOND) / 3600, price.minimum_hours)


def _rounded_up(used: timedelta, price: Price) -> timedelta:
    return -(-used // price.increment) * price.increment


def charge_lines(used: timedelta, price: Price) -> list[ChargeLine]:
    """The lines of one run; a free one has none. Longer use never costs less."""
    lines = [_hours(used, price)]
    if price.setup_fee:
        lines.append(_setup(price))
    return [line for line in lines if line.amount.gross]


def _hours(used: timedelta, price: Price) -> ChargeLine:
    hours = billable_hours(used, price)
    amount = taxed(hours * price.rate_yuan, rate=price.tax_rate, includes_tax=price.includes_tax)
    step, paid = _in_hours(price.increment), _in_hours(_rounded_up(used, price))
    zh = f"实际使用 {_clock_zh(used)}，按 {step} h 进位为 {paid} h"
    en = f"Used {_clock_en(used)}, rounded up in steps of {step} h to {paid} h"
    if hours * 3600 > _rounded_up(used, price) // SECOND:
        paid = plain(hours)
        zh += f"，不足最低 {paid} h 按 {paid} h 计"
        en += f", charged as the minimum of {paid} h"
    zh += f"；{paid} h × ¥{price_text(price.rate_yuan)}/h = {_sum_zh(amount, price)}"
    en += f"; {paid} h × ¥{price_text(price.rate_yuan)}/h = {_sum_en(amount, price)}"
    return ChargeLine(ChargeKind.HOURS, hours, price.rate_yuan, amount, zh, en)


def _setup(price: Price) -> ChargeLine:
    amount = taxed(price.setup_fee.yuan, rate=price.tax_rate, includes_tax=price.includes_tax)
    return ChargeLine(
        ChargeKind.SETUP,
        Decimal(1),
        price.setup_fee.yuan,
        amount,
        f"开机费（每次运行）：1 次 × ¥{price.setup_fee.yuan:,.2f} = {_sum_zh(amount, price)}",
        f"Start-up fee (per run): 1 × ¥{price.setup_fee.yuan:,.2f} = {_sum_en(amount, price)}",
    )


def plain(number: Decimal) -> str:
    """A number without trailing zeros and without an exponent."""
    return f"{number.normalize():f}"


def price_text(yuan: Decimal) -> str:
    """A unit price with at least two and at most four decimals; none of them is rounded away."""
    text = f"{yuan:,.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


def _in_hours(length: timedelta) -> str:
    """Hours, exactly: ``2.4``, or ``143/60`` where decimals would have no end."""
    seconds = length // SECOND
    if seconds % 9 == 0:
        return plain(Decimal(seconds) / 3600)
    return f"{seconds // 60}/60" if seconds % 60 == 0 else f"{seconds}/3600"


def _sum_zh(amount: Taxed, price: Price) -> str:
    rate = plain(price.tax_rate * 100)
    if price.includes_tax:
        return f"¥{amount.gross.yuan:,.2f}（含 {rate} % 税 ¥{amount.tax.yuan:,.2f}）"
    return f"¥{amount.net.yuan:,.2f}，加 {rate} % 税 ¥{amount.tax.yuan:,.2f}，合计 ¥{amount.gross.yuan:,.2f}"


def _sum_en(amount: Taxed, price: Price) -> str:
    rate = plain(price.tax_rate * 100)
    if price.includes_tax:
        return f"¥{amount.gross.yuan:,.2f} (including {rate} % VAT ¥{amount.tax.yuan:,.2f})"
    return f"¥{amount.net.yuan:,.2f} plus {rate} % VAT ¥{amount.tax.yuan:,.2f}, together ¥{amount.gross.yuan:,.2f}"


def _clock(used: timedelta) -> tuple[int, int, int]:
    minutes, seconds = divmod(used // SECOND, 60)
    return *divmod(minutes, 60), seconds


def _clock_zh(used: timedelta) -> str:
    hours, minutes, seconds = _clock(used)
    return f"{hours} 小时 {minutes} 分 {seconds} 秒"


def _clock_en(used: timedelta) -> str:
    hours, minutes, seconds = _clock(used)
    return f"{hours} h {minutes} min {seconds} s"
