"""A quantity at a price: plain, graduated, by volume or in packages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from app.kernel.money import Money
from billing.rules.pricing.tariff import NOTHING, Step, TierKind, Tiers

Amount = int | Fraction
Cut = Sequence[tuple[Amount, Decimal]]


class Part(NamedTuple):
    """A part of the quantity that has one price. ``off`` is per cent; ``rate`` and ``support`` are per unit."""

    quantity: Amount
    rate: Decimal
    off: Decimal
    support: Decimal


@dataclass(frozen=True, slots=True)
class Sum:
    """What a quantity costs, exactly, and how that came about. Units: yuan."""

    parts: tuple[Part, ...]
    flats: tuple[Money, ...] = ()
    packages: int | None = None
    package: Tiers | None = None
    exact: Fraction = Fraction(0)
    support: Fraction = Fraction(0)

    @property
    def one_rate(self) -> Decimal | None:
        """The price of every unit, where there is only one."""
        if self.package:
            return self.package.package_price.yuan
        rates = {(part.rate, part.off) for part in self.parts}
        return self.parts[0].rate if len(rates) == 1 and not self.parts[0].off and not self.flats else None


def priced(price: Decimal | Tiers, cut: Cut, *, added: int, prior: Fraction, per: int, support: Decimal) -> Sum:
    """The price of a quantity.

    Shape: ``cut`` is the quantity in order, each piece with its discount in per cent; ``added`` was put on by
           rounding and costs what the end of ``cut`` costs; ``per`` is how much of the quantity makes one unit
           of the price (60 for minutes of an hourly one); ``prior`` came before, in the measure of ``cut``.
    """
    if isinstance(price, Decimal):
        return _plain(price, cut, added=added, per=per, support=support)
    if price.kind is TierKind.PACKAGE:
        return _packages(price, cut, added=added, prior=prior, per=per, support=support)
    if price.kind is TierKind.VOLUME:
        return _volume(price.steps, cut, added=added, prior=prior, per=per, support=support)
    return _graduated(price.steps, cut, added=added, prior=prior, per=per, support=support)


def _plain(rate: Decimal, cut: Cut, *, added: int, per: int, support: Decimal, flats: tuple[Money, ...] = ()) -> Sum:
    parts = [Part(quantity, rate, off, support) for quantity, off in cut]
    return _summed(parts, added, per, flats)


def _volume(steps: Sequence[Step], cut: Cut, *, added: int, prior: Fraction, per: int, support: Decimal) -> Sum:
    quantity = sum((piece for piece, _ in cut), Fraction(added))
    step = _step_at(steps, prior + quantity, per)
    # The flat amount is due when the step is entered: not again where the prior quantity had already entered it.
    entered = quantity > 0 and (not prior or _step_at(steps, prior, per) is not step)
    flats = (step.flat,) if entered and step.flat else ()
    return _plain(step.rate, cut, added=added, per=per, support=_support(step, support), flats=flats)


def _graduated(steps: Sequence[Step], cut: Cut, *, added: int, prior: Fraction, per: int, support: Decimal) -> Sum:
    parts: list[Part] = []
    flats = [steps[0].flat] if not prior and steps[0].flat else []
    at, number = prior, 0
    for piece, off in cut:
        left = Fraction(piece)
        while left > 0:
            while number + 1 < len(steps) and at >= _bound(steps[number], per):
                number += 1
                if steps[number].flat and prior <= _bound(steps[number - 1], per):
                    flats.append(steps[number].flat)
            step = steps[number]
            taken = left if number + 1 == len(steps) else min(left, _bound(step, per) - at)
            parts.append(Part(taken, step.rate, off, _support(step, support)))
            at, left = at + taken, left - taken
    return _summed(parts, added, per, tuple(flats))


def _packages(tiers: Tiers, cut: Cut, *, added: int, prior: Fraction, per: int, support: Decimal) -> Sum:
    """Started packages. Their price has no discount by the clock, nor has the support of what is in them."""
    quantity = sum((piece for piece, _ in cut), Fraction(added))
    size = Fraction(tiers.package_size) * per
    packages = -(-(prior + quantity) // size) + (-prior // size)
    return Sum(
        parts=(Part(quantity, NOTHING, NOTHING, support),),
        packages=packages,
        package=tiers,
        exact=packages * Fraction(tiers.package_price.fen, 100),
        support=quantity * Fraction(support) / per,
    )


def _summed(parts: list[Part], added: int, per: int, flats: tuple[Money, ...]) -> Sum:
    if added and parts:
        last = parts[-1]
        parts = [*parts[:-1], last._replace(quantity=last.quantity + added)]
    joined: dict[tuple[Decimal, Decimal, Decimal], Amount] = {}
    for quantity, rate, off, support in parts:
        joined[rate, off, support] = joined.get((rate, off, support), 0) + quantity
    own = tuple(Part(quantity, *price) for price, quantity in joined.items())
    exact = _weighed(((part, part.rate) for part in own), per)
    if flats:
        exact += Fraction(sum(flat.fen for flat in flats), 100)
    return Sum(own, flats, exact=exact, support=_weighed(((part, part.support) for part in own), per))


def _weighed(parts: Iterable[tuple[Part, Decimal]], per: int) -> Fraction:
    # One fraction a part: this is where a period close spends its time.
    found = Fraction(0)
    for part, price in parts:
        if price:
            top, bottom = price.as_integer_ratio()
            left, of = (1, 1) if not part.off else (100 - Fraction(part.off)).as_integer_ratio()
            whole = part.quantity
            found += Fraction(
                top * whole.numerator * left, bottom * whole.denominator * of * per * (100 if part.off else 1)
            )
    return found


def _bound(step: Step, per: int) -> Fraction:
    """Where the step ends, in the measure of the quantity. Shape: not for a step without end."""
    return Fraction(step.up_to or 0) * per


def _step_at(steps: Sequence[Step], quantity: Fraction, per: int) -> Step:
    """The step to which a quantity belongs, its upper bound included; above the last bound the last step goes on."""
    return next((step for step in steps if step.up_to is None or quantity <= _bound(step, per)), steps[-1])


def _support(step: Step, support: Decimal) -> Decimal:
    return support if step.support_per_unit is None else step.support_per_unit
