"""One bill, several payers: who bears how much of it, to the fen.

Amounts come by VAT rate. Everyone but the one who takes the remainder bears percent of the gross, cut to a fen, with
net = share / (1 + rate) rounded; the one who takes the remainder bears what is left of each column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.kernel.errors import InvalidInput
from app.kernel.money import ZERO, Money, total
from billing.rules.tax import Taxed

HUNDRED = Decimal(100)
NOTHING = Taxed(ZERO, ZERO, ZERO)


@dataclass(frozen=True, slots=True)
class Part:
    """What one payer agreed to bear. Units: ``percent`` of 100."""

    payer_id: int
    percent: Decimal
    takes_remainder: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """What one payer bears of the amounts at one VAT rate."""

    part: Part
    rate: Decimal
    amount: Taxed


def checked(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts as they were agreed. Errors: ``InvalidInput`` unless they make 100 with one who takes the remainder."""
    if len({part.payer_id for part in parts}) != len(parts):
        raise InvalidInput("同一付款方只能出现一次，请合并比例。", field="payers")
    if any(part.percent <= 0 for part in parts):
        raise InvalidInput("每个付款方的比例应大于 0；不付款的请删除。", field="payers")
    together = sum((part.percent for part in parts), Decimal())
    if together != HUNDRED:
        raise InvalidInput("各付款方比例合计应为 100 %%，现为 %(sum)s %%。", field="payers", sum=f"{together:f}")
    if sum(part.takes_remainder for part in parts) != 1:
        raise InvalidInput("请指定一个付款方承担尾差。", field="payers")
    return tuple(parts)


def shares(amounts: Mapping[Decimal, Taxed], parts: Sequence[Part]) -> list[Share]:
    """Who bears what of an invoice, in the order of ``parts`` and rates; nothing is lost and nothing made up."""
    found = []
    for rate, whole in sorted(amounts.items()):
        own = {part.payer_id: _cut(whole.gross, part, rate) for part in parts if not part.takes_remainder}
        found += [
            Share(part, rate, _rest(whole, own.values()) if part.takes_remainder else own[part.payer_id])
            for part in parts
        ]
    return found


def note_shares(
    credited: Mapping[Decimal, Taxed], parts: Sequence[Part], left: Mapping[tuple[int, Decimal], Taxed]
) -> list[Share]:
    """Who gets back what of a credit note. No payer gets more than they still bear; the last note empties every share.

    Shape:  ``credited`` positive, each rate at most what is left of it; ``left`` by payer and rate.
    """
    found = []
    for rate, whole in sorted(credited.items()):
        bears = {part.payer_id: left.get((part.payer_id, rate), NOTHING) for part in parts}
        gross = _gross_back(whole.gross, parts, bears, rate)
        found += [Share(part, rate, amount) for part, amount in _net_back(whole, rate, parts, bears, gross)]
    return found


def _cut(gross: Money, part: Part, rate: Decimal) -> Taxed:
    share = gross.times(part.percent / HUNDRED, mode="truncate")
    net = Money.rounded(share.yuan / (1 + rate))
    return Taxed(net, share - net, share)


def _rest(whole: Taxed, taken: Collection[Taxed]) -> Taxed:
    net = whole.net - total([one.net for one in taken])
    gross = whole.gross - total([one.gross for one in taken])
    return Taxed(net, gross - net, gross)


def _gross_back(gross: Money, parts: Sequence[Part], bears: Mapping[int, Taxed], rate: Decimal) -> dict[int, Money]:
    """By percent as far as the payer still bears so much; what is over goes to whoever bears something still."""
    back = {
        part.payer_id: min(_cut(gross, part, rate).gross, bears[part.payer_id].gross)
        for part in parts
        if not part.takes_remainder
    }
    over = gross - total(list(back.values()))
    for part in sorted(parts, key=lambda one: not one.takes_remainder):
        had = back.get(part.payer_id, ZERO)
        more = min(over, bears[part.payer_id].gross - had)
        back[part.payer_id], over = had + more, over - more
    return back


def _net_back(
    whole: Taxed, rate: Decimal, parts: Sequence[Part], bears: Mapping[int, Taxed], gross: Mapping[int, Money]
) -> list[tuple[Part, Taxed]]:
    """Who gets all back gets all net back; of the others the one who bears most takes what rounding leaves."""
    net = {
        payer: bears[payer].net if back == bears[payer].gross else Money.rounded(back.yuan / (1 + rate))
        for payer, back in gross.items()
    }
    still = {payer: bears[payer].gross - back for payer, back in gross.items()}
    most = max(still, key=lambda payer: (bool(still[payer] and gross[payer]), still[payer]))
    net[most] += whole.net - total(list(net.values()))
    return [
        (part, Taxed(net[part.payer_id], gross[part.payer_id] - net[part.payer_id], gross[part.payer_id]))
        for part in parts
    ]
