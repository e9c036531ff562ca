"""Numbers as a customer reads them; none is rounded on the way."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from app.kernel.money import Money


def plain(number: Decimal) -> str:
    """A number without trailing zeros and without an exponent."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def price_text(yuan: Decimal) -> str:
    """A unit price with at least two decimals and as many as it has."""
    whole, _, fraction = f"{yuan:,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def yuan(amount: Money) -> str:
    """An amount with its sign of currency: ``¥1,234.50``."""
    whole, fen = divmod(abs(amount.fen), 100)
    return f"{'−' if amount.fen < 0 else ''}¥{whole:,}.{fen:02d}"


def percent(part: Decimal) -> str:
    """A share of one as per cent: ``0.06`` is ``6 %``."""
    return f"{plain(part * 100)} %"


def decimal_of(number: Fraction) -> Decimal:
    """The same number as a decimal.

    Errors: ``ValueError`` if its decimals never end.
    """
    if number.denominator == 1:
        return Decimal(number.numerator)
    places, rest = 0, number.denominator
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest //= prime
            power += 1
        places = max(places, power)
    if rest != 1:
        raise ValueError(f"{number} has no last decimal")
    digits = tuple(map(int, str(abs(number.numerator) * 10**places // number.denominator)))
    return Decimal((int(number < 0), digits, -places))


def exact_text(number: Fraction) -> str:
    """A number in full: as a decimal, or as ``7/3`` where its decimals never end."""
    if number.denominator == 1:
        return str(number.numerator)
    try:
        return plain(decimal_of(number))
    except ValueError:
        return str(number)
