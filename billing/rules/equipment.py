"""P1 and P4, the subsidies for equipment (设备购置补助, 新增设备设施补助): a share of what non-fiscal money bought.

A claim under P1 is about equipment and software of any year; one under P4 about equipment and facilities that are new
in a year, for a platform of provincial or national level.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from app.kernel.money import ZERO, Money, total
from billing.rules.entitlement import Entitlement
from billing.rules.facts import Asset, EquipmentProgramme, Facts, OtherGrant
from billing.rules.grant import NoGrant
from billing.rules.policy import Policy, Settings
from billing.rules.recognition import Rank, rank_in

KINDS: Mapping[EquipmentProgramme, frozenset[str]] = {
    "P1": frozenset({"equipment", "software"}),
    "P4": frozenset({"equipment", "facility"}),
}
P4_CAP = {Rank.PROVINCIAL: "P4.provincial_cap", Rank.NATIONAL: "P4.national_cap"}


@dataclass(frozen=True, slots=True)
class CountedAsset:
    """What of an asset counts: ``cost`` on the basis that A21 asks for, less the ``fiscal`` part as A19 says."""

    asset: Asset
    cost: Money
    fiscal: Money
    counted: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class EquipmentYear(Entitlement):
    """The assets of one year that were claimed under one programme, and what they yield."""

    assets: tuple[CountedAsset, ...]

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset(one.asset.no for one in self.assets)

    @property
    def base(self) -> Money:
        return total([one.counted for one in self.assets])


@dataclass(frozen=True, slots=True)
class EquipmentCase:
    """One platform's purchases and the readings under which they are judged.

    ``set_back`` are the years in which another programme goes before this one (A15); ``taken`` the numbers of the
    assets that the other equipment programme has paid for, by the first year from which they are gone.
    """

    facts: Facts
    settings: Settings
    policy: Policy
    programme: EquipmentProgramme
    set_back: frozenset[int] = frozenset()
    taken: Mapping[str, int] | None = None

    def judged(self) -> list[EquipmentYear]:
        """Every year with a claim, ascending. O(assets × grants of others)."""
        used = ZERO
        found = []
        claims = self._claims()
        decided = {one.year: one.amount for one in self.facts.decisions if one.programme == self.programme}
        for year in sorted(claims.keys() | decided.keys()):
            if year not in claims:  # what was bought has moved elsewhere since; what was granted for it has not
                used += decided[year]
                continue
            judged = self._judge(year, claims[year], used)
            used += judged.granted
            found.append(judged)
        return found

    def _claims(self) -> dict[int, list[list[Asset]]]:
        """The assets of each year, one list an application; without applications everything is one claim."""
        given = self.facts.applications
        claims: dict[int, list[list[Asset]]] = defaultdict(list)
        seen: set[str] = set()
        for application in given if given is not None else [None]:
            if application is not None and application.programme != self.programme:
                continue
            by_year: dict[int, list[Asset]] = defaultdict(list)
            for asset in self.facts.assets:
                if application is not None and asset.no not in application.asset_nos:
                    continue
                year = self._year(asset, application.on if application is not None else None)
                if asset.no not in seen and self._is_eligible(asset, year):
                    seen.add(asset.no)
                    by_year[year].append(asset)
            for year, assets in by_year.items():
                claims[year].append(assets)
        return claims

    def _year(self, asset: Asset, filed_on: date | None) -> int:
        if self.programme == "P1":
            return (filed_on or asset.accepted_on).year
        by_payment = self.settings.text("A23_p4_in_year_test") == "payment_date"
        return (asset.paid_on if by_payment else asset.accepted_on).year

    def _is_eligible(self, asset: Asset, year: int) -> bool:
        if asset.kind not in KINDS[self.programme] or asset.already_paid_under is not None:
            return False
        if year > (self.taken or {}).get(asset.no, year):
            return False
        if self.programme == "P4":
            return rank_in(self.facts.recognitions, year) is not None
        certified_on = self.facts.platform.certified_on
        before_only = self.settings.text("A18_p1_purchase_window") == "before_certification"
        return not before_only or (certified_on is not None and asset.accepted_on < certified_on)

    def _judge(self, year: int, claims: Iterable[list[Asset]], used: Money) -> EquipmentYear:
        last_day = date(year, 12, 31)
        rate = self.policy.value(f"{self.programme}.rate", on=last_day)
        cap = Money.of(self.policy.value(self._cap_key(year), on=last_day))
        batches = [[self._counted(asset) for asset in assets] for assets in claims]
        raws = [total([one.counted for one in batch]).times(rate, mode=self.settings.rounding) for batch in batches]
        cap_left = max(ZERO, cap - used)
        if self.programme == "P1" and self.settings.text("A17_p1_cap_period") == "per_application":
            raws = [min(raw, cap) for raw in raws]
            cap_left = total([cap for _ in batches])
        if self.programme == "P4" and self.settings.text("A22_p4_cap_period") == "per_year":
            cap_left = cap
        assets = tuple(one for batch in batches for one in batch)
        return EquipmentYear(
            programme=self.programme,
            year=year,
            payee=self.facts.platform.host,
            refused=self._refused(year),
            rate=rate,
            raw=total(raws),
            cap_left=cap_left,
            higher_level=self._paid_above({one.asset.no for one in assets}, year),
            assets=assets,
            decided=self.facts.decided(year, self.programme),
        )

    def _cap_key(self, year: int) -> str:
        rank = rank_in(self.facts.recognitions, year)
        return "P1.cap" if self.programme == "P1" or rank is None else P4_CAP[rank]

    def _refused(self, year: int) -> NoGrant | None:
        if not self.policy.in_force_during(year):
            return NoGrant.NOT_IN_FORCE
        return NoGrant.HIGHER_PROGRAMME if year in self.set_back else None

    def _counted(self, asset: Asset) -> CountedAsset:
        stated = asset.fiscal
        if self.settings.flag("A20_ex_post_grant_is_fiscal_funding"):
            stated += self._shared_out()[asset.no]
        cost, fiscal = (
            self._on_basis(asset, asset.cost),
            min(self._on_basis(asset, stated), self._on_basis(asset, asset.cost)),
        )
        reading = self.settings.text("A19_mixed_funding")
        if reading == "exclude_asset":
            counted = ZERO if fiscal else cost
        elif reading == "majority":
            counted = cost if cost - fiscal > fiscal else ZERO
        else:
            counted = cost - fiscal
        return CountedAsset(asset, cost, fiscal, counted)

    def _on_basis(self, asset: Asset, amount: Money) -> Money:
        """``amount`` of the asset's cost without its tax where that can be deducted, else with it (A21)."""
        without = self.settings.text("A21_equipment_cost_tax") != "gross" and asset.input_tax_creditable
        if without == asset.cost_includes_tax:
            factor = 1 + asset.tax_rate
            return Money.rounded(amount.yuan / factor if without else amount.yuan * factor)
        return amount

    def _paid_above(self, numbers: Collection[str], year: int) -> Money:
        """What authorities above paid afterwards for these assets, or for equipment of the year without naming any."""
        if self.settings.flag("A20_ex_post_grant_is_fiscal_funding"):
            return ZERO
        shared = self._shared_out()
        unnamed = [one.amount for one in self._grants_afterwards() if not one.asset_nos and one.year == year]
        return total([*(shared[number] for number in sorted(numbers)), *unnamed])

    def _shared_out(self) -> dict[str, Money]:
        """Each grant paid afterwards, over the assets it names, by their cost; no fen is lost."""
        assets = {one.no: one for one in self.facts.assets}
        shared: dict[str, Money] = defaultdict(lambda: ZERO)
        for grant in self._grants_afterwards():
            named = [assets[number] for number in grant.asset_nos if number in assets]
            if not named or not any(one.cost for one in named):
                continue
            for asset, part in zip(named, grant.amount.shared_by([one.cost.fen for one in named]), strict=True):
                shared[asset.no] += part
        return shared

    def _grants_afterwards(self) -> list[OtherGrant]:
        return [g for g in self.facts.other_grants if g.programme_kind == "equipment" and g.timing == "ex_post"]
