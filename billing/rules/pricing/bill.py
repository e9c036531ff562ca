"""What is done with a whole bill: fixed lines on it, who pays it, and credit notes (红字) against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from app.kernel.money import ZERO, Money, total
from billing.rules.figures import percent, yuan
from billing.rules.pricing.lines import ONE, line_amount
from billing.rules.pricing.outcome import LineKind, PricedLine
from billing.rules.tax import Taxed


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCharge:
    """A fee for a period, of which some days are covered, or of a fixed amount. Days are half-open pairs."""

    price: Money
    period: tuple[date, date] | None = None
    covered: tuple[date, date] | None = None
    is_credit: bool = False
    vat_rate: Decimal = Decimal(0)
    includes_vat: bool = False


@dataclass(frozen=True, slots=True)
class Payer:
    name: str
    percent: Decimal
    takes_remainder: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """``payable`` is what this payer owes; ``net`` and ``tax`` are its part of the bill's."""

    name: str
    payable: Money
    net: Money
    tax: Money


def fixed_line(charge: FixedCharge) -> PricedLine:
    """Price × covered days ÷ days of the period, rounded once. Shape: a period of at least one day."""
    days, of_days = (
        ((end - start).days for start, end in (charge.covered, charge.period))
        if charge.covered and charge.period
        else (1, 1)
    )
    exact = Fraction(charge.price.fen, 100) * days / of_days
    amount = line_amount(-exact if charge.is_credit else exact, charge.vat_rate, includes_vat=charge.includes_vat)
    zh, en = ("退还", "Credit") if charge.is_credit else ("固定费用", "Fixed fee")
    zh, en = f"{zh}：{yuan(charge.price)}", f"{en}: {yuan(charge.price)}"
    if charge.period:
        zh, en = f"{zh} × {days} 天 ÷ {of_days} 天", f"{en} × {days} days ÷ {of_days} days"
    if charge.includes_vat or not charge.vat_rate:
        zh, en = f"{zh} = {yuan(amount.gross)}", f"{en} = {yuan(amount.gross)}"
    else:
        zh, en = f"{zh} = {yuan(amount.net)}", f"{en} = {yuan(amount.net)}"
    if charge.vat_rate:
        rate, tax = percent(charge.vat_rate), yuan(amount.tax)
        zh += f"（含 {rate} 税 {tax}）" if charge.includes_vat else f"，加 {rate} 税 {tax}，合计 {yuan(amount.gross)}"
        en += (
            f" (including {rate} VAT {tax})"
            if charge.includes_vat
            else f" plus {rate} VAT {tax}, together {yuan(amount.gross)}"
        )
    quantity, unit = (Decimal(days), "day") if charge.period else (ONE, "item")
    return PricedLine(LineKind.FIXED, quantity, unit, None, amount, charge.vat_rate, zh, en)


def make_100(payers: Sequence[Payer]) -> bool:
    return sum((payer.percent for payer in payers), Decimal(0)) == 100


def shares_of(lines: Sequence[PricedLine], support: Money, payers: Sequence[Payer]) -> list[Share]:
    """Who pays how much. Whoever takes the remainder gets what is left of each column, so no fen is lost.

    Shape: payers that make 100, one of whom takes the remainder.
    """
    net, tax = total([line.amount.net for line in lines]), total([line.amount.tax for line in lines])
    payable = net + tax - support
    factor = _net_per_gross(lines)
    shares: dict[str, Share] = {}
    rest = (payable, net, tax)
    for i, payer in enumerate(payers):
        if payer.takes_remainder:
            continue
        own = Money.rounded(Fraction(payable.fen, 100) * Fraction(payer.percent) / 100, mode="truncate")
        own_net = Money.rounded(Fraction(own.fen, 100) * factor)
        share = Share(payer.name, own, own_net, own - own_net)
        shares[str(i)] = share
        rest = (rest[0] - share.payable, rest[1] - share.net, rest[2] - share.tax)
    return [shares.get(str(i)) or Share(payer.name, *rest) for i, payer in enumerate(payers)]


def credit_notes(lines: Sequence[PricedLine], asked: Sequence[tuple[str, Money | None]]) -> list[Taxed | None]:
    """The notes against a bill in order; ``None`` for one that asks for more than what remains.

    What remains never has a negative net or tax, and the note that uses it up takes its last fen of both.

    Shape: each asks for (``"net"`` or ``"gross"``, amount), or for all that remains with ``None``. Amounts are
           positive, and so are those of the notes.
    """
    net, gross = total([line.amount.net for line in lines]), total([line.amount.gross for line in lines])
    factor = _net_per_gross(lines)
    notes: list[Taxed | None] = []
    for column, amount in asked:
        note = _note(column, amount, net, gross, factor)
        notes.append(note)
        if note is not None:
            net, gross = net - note.net, gross - note.gross
    return notes


def _note(column: str, amount: Money | None, net: Money, gross: Money, factor: Fraction) -> Taxed | None:
    left = net if column == "net" else gross
    if min(net, gross) < ZERO or (amount is not None and amount > left):
        return None
    if amount is None or amount == left:
        return Taxed(net, gross - net, gross)
    if column == "net":
        tax = Money.rounded(Fraction(amount.fen, 100) * (1 / factor - 1))
        # A bill whose lines were taxed one by one may have less tax left than the rate says.
        tax = min(tax, gross - net)
        return Taxed(amount, tax, amount + tax)
    rounded = Money.rounded(Fraction(amount.fen, 100) * factor)
    own_net = min(max(rounded, amount - (gross - net)), net)
    return Taxed(own_net, amount - own_net, amount)


def _net_per_gross(lines: Sequence[PricedLine]) -> Fraction:
    """1 ÷ (1 + rate); over lines with different rates, what the whole bill says."""
    rates = {line.vat_rate for line in lines}
    if len(rates) == 1:
        return 1 / (1 + Fraction(rates.pop()))
    net, gross = (sum(getattr(line.amount, key).fen for line in lines) for key in ("net", "gross"))
    return Fraction(net, gross) if net and gross else Fraction(1)
