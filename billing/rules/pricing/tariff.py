"""The terms of one tariff version as values; how they are read and told is in ``reading``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from app.kernel.money import ZERO, Money

NOTHING = Decimal(0)
WHOLE = Decimal(100)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60


class ChargeMode(StrEnum):
    RESERVATION = "reservation"
    USAGE = "usage"
    OVERAGE = "overage"
    UNION = "union"


class Unit(StrEnum):
    """What a price counts. ``BOOKING`` is for extras only, ``DAY`` for the main charge only."""

    HOUR = "hour"
    DAY = "day"
    RUN = "run"
    BATCH = "batch"
    SAMPLE = "sample"
    KG = "kg"
    M = "m"
    KWH = "kWh"
    BOOKING = "booking"


COUNTED_BY_HAND = frozenset({Unit.BATCH, Unit.SAMPLE, Unit.KG, Unit.M})


class Rounding(StrEnum):
    UP = "up"
    NEAREST = "nearest"
    NONE = "none"


class TierKind(StrEnum):
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"


class ExtraKind(StrEnum):
    SAMPLE = "sample"
    BATCH = "batch"
    MASS = "mass"
    LENGTH = "length"
    ENERGY = "energy"
    MATERIAL = "material"
    BOOKING = "booking"
    LABOUR = "labour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A discount by the wall clock. ``start`` and ``end`` are minutes of the day, ``days`` count from Monday = 0."""

    days: tuple[int, ...]
    start: int
    end: int
    percent_off: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a tiered price; ``up_to`` belongs to it, ``None`` has no end."""

    up_to: Decimal | None
    rate: Decimal = NOTHING
    flat: Money = ZERO
    support_per_unit: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """Steps, or with ``PACKAGE`` the size and price of a package."""

    kind: TierKind
    steps: tuple[Step, ...] = ()
    package_size: Decimal = NOTHING
    package_price: Money = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A charge beside the main one; its VAT rate is its own. The name is what its line is called."""

    kind: ExtraKind
    unit: Unit
    rate: Decimal
    free_quantity: Decimal = NOTHING
    quantity_step: Decimal | None = None
    vat_rate: Decimal = NOTHING
    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationTerms:
    free_until_minutes_before: int
    fee: Money = ZERO
    percent_of_price: Decimal = NOTHING
    vat_rate: Decimal = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShowTerms:
    grace_minutes: int
    fee: Money = ZERO
    percent_of_price: Decimal = NOTHING
    waive_if_slot_reused: bool = False
    vat_rate: Decimal = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgent:
    """Booked less than ``notice_minutes`` before the start: ``percent`` of the main charge on top."""

    notice_minutes: int
    percent: Decimal


Schedule = tuple[tuple[tuple[int, int, Decimal], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One tariff version's terms. Keys and meanings are those of a scenario's ``tariff`` (docs/pricing.md).

    Units: prices in yuan per ``unit``; ``schedule`` holds for each weekday its bands as (start, end, percent off)
    in minutes of the day, ascending.
    """

    charge_mode: ChargeMode
    unit: Unit
    rate: Decimal | None = None
    customer_class_rates: Mapping[str, Decimal | None] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    tiers: Tiers | None = None
    free_quantity: Decimal = NOTHING
    quantity_step: Decimal | None = None
    minimum_charge: Money = ZERO
    setup_fee: Money = ZERO
    extras: tuple[Extra, ...] = ()
    increment_minutes: int = 1
    increment_rounding: Rounding = Rounding.NONE
    lead_minutes: int = 0
    post_minutes: int = 0
    cancellation: CancellationTerms | None = None
    no_show: NoShowTerms | None = None
    support_per_unit: Decimal = NOTHING
    vat_rate: Decimal = NOTHING
    price_includes_vat: bool = False
    urgent: Urgent | None = None
    schedule: Schedule = field(init=False, repr=False, compare=False)
    bands_overlap: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        week: list[list[tuple[int, int, Decimal]]] = [[] for _ in DAYS]
        for band in self.bands:
            for day in band.days:
                week[day].append((band.start, band.end, band.percent_off))
        schedule = tuple(tuple(sorted(day, key=lambda b: b[:2])) for day in week) if self.bands else ()
        object.__setattr__(self, "schedule", schedule)
        overlap = any(left[1] > right[0] for day in schedule for left, right in pairwise(day))
        object.__setattr__(self, "bands_overlap", overlap)

    @property
    def mode(self) -> ChargeMode:
        """Which time is charged; what is counted is always charged by use."""
        return self.charge_mode if self.unit in (Unit.HOUR, Unit.DAY) else ChargeMode.USAGE

    @property
    def knows_vat(self) -> bool:
        """Whether any rate of VAT in these terms is above zero."""
        rules = (*self.extras, *(rule for rule in (self.cancellation, self.no_show) if rule))
        return bool(self.vat_rate) or any(rule.vat_rate for rule in rules)
