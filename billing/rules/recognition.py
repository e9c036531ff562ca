"""P3, the award for a recognition (认定奖励), and which level a platform holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum

from app.kernel.money import ZERO, Money, total
from billing.rules.entitlement import Entitlement
from billing.rules.facts import Facts, Recognition, RecognitionLevel
from billing.rules.grant import NoGrant
from billing.rules.policy import Policy, Settings


class Rank(IntEnum):
    """The levels that the text grants something to. A national innovation centre is of national rank (A25)."""

    PROVINCIAL = 1
    NATIONAL = 2


RANKS: dict[RecognitionLevel, Rank] = {
    "provincial": Rank.PROVINCIAL,
    "national": Rank.NATIONAL,
    "national_innovation_centre": Rank.NATIONAL,
}
AWARD = {Rank.PROVINCIAL: "P3.provincial", Rank.NATIONAL: "P3.national"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardYear(Entitlement):
    """The award of a year: for the highest new recognition in it, less what a lower one was awarded before (A24)."""

    recognition: Recognition
    awarded_before: Money


def rank_in(recognitions: Iterable[Recognition], year: int) -> Rank | None:
    """The highest rank held at the end of ``year``."""
    held = [RANKS[one.level] for one in recognitions if one.recognised_on <= date(year, 12, 31)]
    return max(held, default=None)


def award_years(facts: Facts, settings: Settings, policy: Policy, set_back: frozenset[int]) -> list[AwardYear]:
    """Every year with a new recognition or one confirmed again, ascending."""
    highest, before = 0, ZERO
    found = []
    for year in sorted({one.recognised_on.year for one in facts.recognitions}):
        those = [one for one in facts.recognitions if one.recognised_on.year == year]
        chosen = max(those, key=lambda one: (one.newly, RANKS[one.level]))
        rank = RANKS[chosen.level]
        award = Money.of(policy.value(AWARD[rank], on=chosen.recognised_on))
        others = [g.amount for g in facts.other_grants if g.programme_kind == "award" and g.year == year]
        deducted = before if settings.text("A24_award_upgrade") == "difference" else ZERO
        judged = AwardYear(
            programme="P3",
            year=year,
            payee=facts.platform.host,
            refused=_refused(chosen, year, policy, set_back, rises=rank > highest),
            rate=Decimal(1),
            raw=award,
            cap_left=max(ZERO, award - deducted),
            higher_level=total(others),
            recognition=chosen,
            awarded_before=deducted,
            decided=facts.decided(year, "P3"),
        )
        if judged.entitled:
            highest, before = max(highest, rank), before + judged.granted
        found.append(judged)
    return found


def premises_of(facts: Facts, policy: Policy) -> int | None:
    """Square metres to be provided for a national innovation centre (P5); ``None`` where none are asked for."""
    if facts.requested_m2 is None:
        return None
    centre = [one for one in facts.recognitions if one.level == "national_innovation_centre"]
    if not centre or facts.platform.certification_document is None:
        return 0
    since = min(one.recognised_on for one in centre)
    return min(facts.requested_m2, int(policy.value("premises.max", on=since)))


def _refused(
    chosen: Recognition, year: int, policy: Policy, set_back: frozenset[int], *, rises: bool
) -> NoGrant | None:
    if not policy.in_force_during(year):
        return NoGrant.NOT_IN_FORCE
    if not chosen.newly or not rises:
        return NoGrant.ALREADY_AWARDED
    return NoGrant.HIGHER_PROGRAMME if year in set_back else None
