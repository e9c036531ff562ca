"""What the parties of a jointly built platform (联合共建) get of an amount, to the fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.kernel.errors import InvalidInput
from app.kernel.money import Money, total

HUNDRED = Decimal(100)


class ProposalState(StrEnum):
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Part:
    """What one party agreed to get. Units: ``percent`` of 100."""

    party: int
    percent: Decimal
    takes_remainder: bool = False


def checked(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts as agreed. Errors: ``InvalidInput`` unless they make 100 and one takes what rounding leaves."""
    if len(parts) < 2 or len({one.party for one in parts}) != len(parts):
        raise InvalidInput("请至少填写两个共建方，每个只出现一次。", field="parties")
    if any(one.percent <= 0 for one in parts):
        raise InvalidInput("每个共建方的比例应大于 0。", field="parties")
    together = sum((one.percent for one in parts), Decimal())
    if together != HUNDRED:
        raise InvalidInput("各方比例合计应为 100%%，现为 %(sum)s%%。", field="parties", sum=f"{together:f}")
    if sum(one.takes_remainder for one in parts) != 1:
        raise InvalidInput("请指定一方承担尾差。", field="parties")
    return tuple(parts)


def shared(base: Money, parts: Sequence[Part]) -> list[Money]:
    """Each party's share of ``base``, in the order of ``parts``; together exactly ``base``.

    Everyone gets their percent cut to a fen; the one who takes the remainder gets what is left.
    """
    own = [base.times(one.percent / HUNDRED, mode="truncate") for one in parts]
    left = base - total(own)
    return [amount + left if one.takes_remainder else amount for one, amount in zip(parts, own, strict=True)]
