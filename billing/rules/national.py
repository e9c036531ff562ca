"""The field names of the national instrument network, and what must hold before anything is handed in.

The names are those of a public sharing system; the network's own interface is not public. Fields that only a
person's data would fill (contact, phone, email, subjectName, applicant) are left out. Others that nobody here knows
are kept empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

INSTRUMENT = (
    "innerId", "cname", "ename", "insCode", "instrBelongsType", "instrBelongsName", "instrCategory", "province",
    "city", "county", "street", "worth", "instrSource", "type", "subject", "nation", "manufacturer", "instrVersion",
    "beginDate", "technical", "function", "serviceContent", "requirement", "fee", "serviceUrl", "runMachine",
    "serviceMachine", "funds", "postalcode", "image", "instrSupervise", "declarationNumber", "itemNumber",
    "importDate", "formname",
)  # fmt: skip
SERVICE = (
    "recordInnerId", "innerId", "amounts", "serviceAmount", "startTime", "endTime", "serviceContent", "serviceWay",
    "subjectIncome", "subjectArea", "applicantUnit", "comment", "serviceType", "serviceDirection", "taxRecord",
    "addressType", "signAgreement",
)  # fmt: skip
UNIT = (
    "insCode", "name", "invoices", "serviceIncome", "externalIncome", "instruments500k", "worth500k", "uploads",
)  # fmt: skip
KNOWN = frozenset({
    "innerId", "cname", "ename", "insCode", "instrBelongsName", "province", "city", "county", "street", "worth", "fee",
    "serviceUrl", "runMachine", "serviceMachine", "recordInnerId", "amounts", "serviceAmount", "startTime", "endTime",
    "serviceWay", "applicantUnit", "serviceType", "name", "invoices", "serviceIncome", "externalIncome",
    "instruments500k", "worth500k",
})  # fmt: skip
"""The fields of the three sheets that anybody here knows something of; the others stay empty."""
LONGEST = {"cname": 300, "technical": 1500, "function": 900, "serviceContent": 600, "fee": 1500}
DEAR_FEN = 500_000_00
"""An instrument of 500,000 yuan or more is under the duty to share."""
TEN_THOUSAND_YUAN = Decimal(10_000)
Row = Mapping[str, str | Decimal | int | None]


class Fault(StrEnum):
    """What must not be in a report."""

    SERVICE_OVER_RUNNING = "service_over_running"
    EXTERNAL_OVER_SERVICE = "external_over_service"
    LONGER_THAN_THE_YEAR = "longer_than_the_year"
    TOO_LONG = "too_long"
    NO_UNIT_CODE = "no_unit_code"


@dataclass(frozen=True, slots=True)
class InstrumentHours:
    """The year of one instrument, or of ``pieces`` that are alike."""

    code: str
    pieces: int
    running: timedelta
    service: timedelta
    external: timedelta


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with which row: of an instrument by its innerId, of a unit by its name."""

    fault: Fault
    row: str
    field: str = ""


def hour_faults(hours: Iterable[InstrumentHours], *, year: timedelta) -> Iterator[Violation]:
    """External ≤ service ≤ running ≤ the year's hours."""
    for one in hours:
        if one.service > one.running:
            yield Violation(Fault.SERVICE_OVER_RUNNING, one.code, "serviceMachine")
        if one.external > one.service:
            yield Violation(Fault.EXTERNAL_OVER_SERVICE, one.code, "serviceMachine")
        if one.running > year * one.pieces:
            yield Violation(Fault.LONGER_THAN_THE_YEAR, one.code, "runMachine")


def field_faults(instruments: Sequence[Row], units: Sequence[Row]) -> Iterator[Violation]:
    """Texts within their lengths, and a code for every unit."""
    for row in instruments:
        for name, longest in LONGEST.items():
            if len(str(row.get(name) or "")) > longest:
                yield Violation(Fault.TOO_LONG, str(row["innerId"]), name)
    for row in units:
        if not row["insCode"]:
            yield Violation(Fault.NO_UNIT_CODE, str(row["name"]), "insCode")


def in_hours(length: timedelta) -> Decimal:
    """To a tenth of an hour, cut off, so that parts never come to more than their whole."""
    return Decimal(length // timedelta(minutes=6)) / 10


def in_ten_thousands(fen: int) -> Decimal:
    """Exactly, in 万元."""
    return Decimal(fen).scaleb(-2) / TEN_THOUSAND_YUAN
