"""The facts about one platform that its subsidies follow from. Nothing here is calculated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.money import ZERO, Money
from billing.rules.words import RevenueCategory

Programme = Literal["P1", "P2", "P3", "P4"]
EquipmentProgramme = Literal["P1", "P4"]
AuthorityLevel = Literal["national", "provincial", "quanzhou"]
ProgrammeKind = Literal["operating", "equipment", "award"]
GrantTiming = Literal["ex_post", "ex_ante"]
AssetKind = Literal["equipment", "software", "facility"]
RecognitionLevel = Literal["provincial", "national", "national_innovation_centre"]


@dataclass(frozen=True, slots=True)
class Operator:
    """An operating entity (运营主体) and its first and last day; ``to_on`` is ``None`` while it lasts."""

    name: str
    from_on: date
    to_on: date | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """A pilot-test platform. Without a certification document nothing is payable.

    ``host`` is the body that it leans on (依托单位), where it is stated.
    """

    name: str
    operators: tuple[Operator, ...]
    certified_on: date | None
    certification_document: str | None
    operating_since: date | None
    host: str | None = None

    def operator_of(self, year: int) -> Operator | None:
        """Who operates the platform at the end of ``year``, or was the last to do so in it."""
        first, last = date(year, 1, 1), date(year, 12, 31)
        there = [o for o in self.operators if o.from_on <= last and (o.to_on is None or o.to_on >= first)]
        return max(there, key=lambda o: o.from_on, default=None)


@dataclass(frozen=True, slots=True)
class Recognition:
    level: RecognitionLevel
    recognised_on: date
    newly: bool
    document: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The performance evaluation (运营绩效评估) of one revenue year."""

    year: int
    evaluated: bool
    selected: bool
    document: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an income document. ``amount`` is negative on a credit note; ``ref`` is passed through.

    ``without_tax`` and ``service_on`` are what the document itself states of the line, where it does.
    """

    category: RevenueCategory
    amount: Money
    tax_rate: Decimal
    amount_includes_tax: bool
    customer_relation: CustomerRelation = CustomerRelation.EXTERNAL
    subcontracted: bool = False
    no_show_fee: bool = False
    without_tax: Money | None = None
    service_on: date | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in, tax included; on a credit note, money given back."""

    on: date
    amount: Money


Prepayment = Payment


@dataclass(frozen=True, slots=True)
class Document:
    """An income document or credit note. ``service_on`` of a credit note is that of its invoice."""

    no: str
    issued_on: date
    service_on: date
    lines: tuple[Line, ...]
    paid: tuple[Payment, ...] = ()
    credit_note_of: str | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Filing:
    """The day on which the filing of a revenue year was locked."""

    year: int
    locked_on: date


@dataclass(frozen=True, slots=True)
class Asset:
    """A purchase. ``fiscal`` is the part of ``cost`` paid with fiscal money, on the same tax basis."""

    no: str
    kind: AssetKind
    accepted_on: date
    paid_on: date
    cost: Money
    cost_includes_tax: bool
    tax_rate: Decimal
    input_tax_creditable: bool
    fiscal: Money = ZERO
    already_paid_under: EquipmentProgramme | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """A claim of assets under a programme; without ``on`` it is filed after each year concerned."""

    programme: EquipmentProgramme
    asset_nos: tuple[str, ...]
    on: date | None = None


@dataclass(frozen=True, slots=True)
class OtherGrant:
    """A grant of an authority above Jinjiang. Quanzhou's half of P1 and P2 is never one of these."""

    authority_level: AuthorityLevel
    programme_kind: ProgrammeKind
    year: int
    amount: Money
    timing: GrantTiming
    asset_nos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What an authority granted for a year: it is paid and uses up the cap, whatever is calculated again later."""

    year: int
    programme: Programme
    amount: Money


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything one assessment looks at. ``applications`` is ``None`` where all assets are claimed."""

    platform: Platform
    recognitions: tuple[Recognition, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    documents: tuple[Document, ...] = ()
    prepayments: tuple[Prepayment, ...] = ()
    filings: tuple[Filing, ...] = ()
    assets: tuple[Asset, ...] = ()
    applications: tuple[Application, ...] | None = None
    requested_m2: int | None = None
    other_grants: tuple[OtherGrant, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def evaluation_of(self, year: int) -> Evaluation | None:
        return next((e for e in self.evaluations if e.year == year), None)

    def locked_on(self, year: int) -> date | None:
        return next((f.locked_on for f in self.filings if f.year == year), None)

    def decided(self, year: int, programme: Programme) -> Money | None:
        """What was granted for a year, where somebody has decided."""
        return next((d.amount for d in self.decisions if (d.year, d.programme) == (year, programme)), None)
