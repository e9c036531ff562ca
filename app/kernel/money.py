"""Money in whole fen, and the only rounding in the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

RoundingMode = Literal["half_up", "truncate"]
_MODES = {"half_up": ROUND_HALF_UP, "truncate": ROUND_DOWN}
_FEN = Decimal("0.01")


def rounded_fen(amount_yuan: Decimal | Fraction, *, mode: RoundingMode = "half_up") -> int:
    """An exact amount in yuan as whole fen. Half a fen goes away from zero, or is cut off.

    A ``Fraction`` is for what no decimal holds, such as a minute of an hourly price.
    """
    if isinstance(amount_yuan, Fraction):
        top, bottom = amount_yuan.numerator * 100, amount_yuan.denominator
        fen = (2 * abs(top) + bottom) // (2 * bottom) if mode == "half_up" else abs(top) // bottom
        return fen if top >= 0 else -fen
    return int(amount_yuan.quantize(_FEN, rounding=_MODES[mode]).scaleb(2))


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount of yuan, kept as whole fen."""

    fen: int

    @classmethod
    def of(cls, yuan: str | int | Decimal) -> Money:
        """Exactly ``yuan``. Errors: ``ValueError`` if it has a fraction of a fen."""
        exact = Decimal(yuan)
        if exact != exact.quantize(_FEN):
            raise ValueError(f"{yuan} yuan is not a whole number of fen")
        return cls(int(exact.scaleb(2)))

    @classmethod
    def rounded(cls, yuan: Decimal | Fraction, *, mode: RoundingMode = "half_up") -> Money:
        return cls(rounded_fen(yuan, mode=mode))

    @property
    def yuan(self) -> Decimal:
        return Decimal(self.fen).scaleb(-2)

    def times(self, factor: Decimal, *, mode: RoundingMode = "half_up") -> Money:
        """This amount × ``factor``, rounded once."""
        return Money.rounded(self.yuan * factor, mode=mode)

    def shared_by(self, weights: Sequence[int | Decimal]) -> list[Money]:
        """Split in proportion to ``weights``; the parts sum to the whole.

        The fen that proportional rounding leaves over go, one each, to the largest
        remainders; equal remainders are served in order.

        Errors: ``ValueError`` without weights, with a negative one or when all are zero.
        """
        exact = [Decimal(weight) for weight in weights]
        total = sum(exact, Decimal())
        if not exact or total <= 0 or min(exact) < 0:
            raise ValueError("weights must be non-negative and not all zero")
        sign = -1 if self.fen < 0 else 1
        ideal = [abs(self.fen) * weight / total for weight in exact]
        parts = [int(share) for share in ideal]
        order = sorted(range(len(parts)), key=lambda i: (parts[i] - ideal[i], i))
        for i in order[: abs(self.fen) - sum(parts)]:
            parts[i] += 1
        return [Money(sign * part) for part in parts]

    def __add__(self, other: Money) -> Money:
        return Money(self.fen + other.fen)

    def __sub__(self, other: Money) -> Money:
        return Money(self.fen - other.fen)

    def __neg__(self) -> Money:
        return Money(-self.fen)

    def __bool__(self) -> bool:
        return self.fen != 0

    def __str__(self) -> str:
        return f"{self.yuan:.2f}"


ZERO = Money(0)


def total(amounts: Sequence[Money]) -> Money:
    return Money(sum(amount.fen for amount in amounts))
