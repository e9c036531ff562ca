"""What a claim rests on: the facts it was locked with, or, until then, those of today."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalogue.models import Platform
from app.kernel.errors import NotFound
from billing.answering import POLICY, settings_in_force
from billing.assessing import by_cash, facts_beside_revenue, facts_of, judging_facts
from billing.models import Claim, ClaimRecord
from billing.revenue_facts import documents
from billing.rules.claim import FROZEN
from billing.rules.facts import Facts, Filing
from billing.rules.policy import Settings
from billing.rules.revenue import sales_of
from billing.rules.scenario import document_of, document_told, scenario_facts, scenario_of
from billing.rules.subsidy import Assessment, assess
from billing.rules.summing import summed

Json = dict[str, Any]
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Basis:
    """The facts and readings of one year; ``locked_on`` is ``None`` while they can change.

    ``kept`` is the scenario that was kept at the lock.
    """

    name: str
    facts: Facts
    settings: Settings
    locked_on: date | None = None
    locked_at: datetime | None = None
    kept: Json | None = None

    def judged(self) -> Assessment:
        return assess(self.facts, self.settings, POLICY)

    def scenario(self) -> Json:
        """The same as a scenario that ``flask subsidy simulate`` reads. O(lines)."""
        return self.kept or scenario_of(self.facts, self.settings, name=self.name)


@dataclass(frozen=True, slots=True)
class OneByOne:
    """The same where all of it at once would be too much: ``scenario`` without its ``invoices``, then these in turn.

    Each credit note stands behind its invoice.
    """

    scenario: Json
    invoices: Iterator[Json]
    locked_on: date | None = None


def hold_platform(session: Session, platform_id: int) -> None:
    """Until the transaction ends, nobody else files or locks a claim of this platform."""
    session.execute(select(Platform.id).where(Platform.id == platform_id).with_for_update())


def year_of(session: Session, claim_id: int) -> int:
    """The year of a claim, which never changes. Errors: ``NotFound``."""
    year = session.scalar(select(Claim.year).where(Claim.id == claim_id))
    if year is None:
        raise NotFound("没有这份申报。")
    return year


def claim_for_change(session: Session, claim_id: int) -> Claim:
    """The claim, with its row held until the transaction ends. Errors: ``NotFound``."""
    claim = session.scalar(select(Claim).where(Claim.id == claim_id).with_for_update())
    if claim is None:
        raise NotFound("没有这份申报。")
    return claim


def basis_of(session: Session, platform_id: int, year: int, *, lines: bool = False) -> Basis:
    """What a platform's year rests on: what its claim was locked with, else what is recorded today.

    Without ``lines``, those that are judged alike are added up where the readings allow it: the same grants follow
    from less. O(issued lines), of which the sum is SQL's.
    """
    kept = _record(session, platform_id, year)
    if kept is None:
        return basis_today(session, platform_id, year, lines=lines)
    scenario = _unpacked(kept.scenario if lines else kept.summary)
    settings = POLICY.settings_with(scenario["settings"])
    return Basis(scenario["id"], scenario_facts(scenario), settings, kept.locked_on, kept.locked_at, scenario)


def basis_one_by_one(session: Session, platform_id: int, year: int) -> OneByOne:
    """What ``basis_of`` gives line by line, a few documents in memory at a time.

    What was locked before its documents were kept one to a line is in memory as a whole.
    """
    kept = _record(session, platform_id, year)
    if kept is None:
        facts = facts_beside_revenue(session, platform_id)
        scenario = scenario_of(facts, settings_in_force(session), name=_name(session, platform_id, year))
        del scenario["invoices"]
        return OneByOne(scenario, map(document_told, documents(session, platform_id)))
    lines = _lines(kept.scenario)
    first = next(lines)
    if first.endswith(OPENING):
        opened: Json = json.loads(first.removesuffix(OPENING) + CLOSING[2:])["scenarios"][0]
        told = (json.loads(line.removesuffix(b",")) for line in lines if line not in (b"", CLOSING[1:]))
        return OneByOne(opened, told, kept.locked_on)
    scenario = json.loads(b"\n".join([first, *lines]))["scenarios"][0]
    sales = sales_of(map(document_of, scenario.pop("invoices")))
    return OneByOne(scenario, map(document_told, chain.from_iterable(one.documents for one in sales)), kept.locked_on)


def _record(session: Session, platform_id: int, year: int) -> ClaimRecord | None:
    return session.scalar(
        select(ClaimRecord)
        .join(Claim)
        .where(Claim.platform_id == platform_id, Claim.policy == POLICY.number, Claim.year == year)
    )


def _name(session: Session, platform_id: int, year: int) -> str:
    return f"C-{session.get_one(Platform, platform_id).code.lower()}-{year}"


def basis_today(
    session: Session, platform_id: int, year: int, *, lines: bool = False, locked_on: date | None = None
) -> Basis:
    """What it would rest on if it were locked on this day, or, without a day, as it stands."""
    settings = settings_in_force(session)
    facts = facts_of(session, platform_id) if lines else judging_facts(session, platform_id, settings)
    if locked_on is not None:
        facts = replace(facts, filings=(*facts.filings, Filing(year, locked_on)))
    return Basis(_name(session, platform_id, year), facts, settings, locked_on)


def summary_of(basis: Basis) -> Basis:
    """The same with lines that are judged alike added up; itself where the readings look at each payment."""
    return basis if by_cash(basis.settings) else replace(basis, facts=summed(basis.facts), kept=None)


def _unpacked(kept: bytes) -> Json:
    scenario: Json = json.loads(zlib.decompress(kept))["scenarios"][0]
    return scenario


def facts_file(session: Session, claim: Claim) -> bytes:
    """What a claim rests on as a file for simulations: after the lock, byte for byte the one that was kept."""
    if claim.record is not None:
        return zlib.decompress(claim.record.scenario)
    return _file_of(basis_of(session, claim.platform_id, claim.year, lines=True).scenario())


OPENING, CLOSING = b',"invoices":[', b"\n]}]}"
"""Around the documents of a scenario, which stand one to a line so that they can be read so."""


def _file_of(scenario: Json) -> bytes:
    beside = {key: value for key, value in scenario.items() if key != "invoices"}
    opened = _plain({"format": 1, "scenarios": [beside]}).removesuffix(CLOSING[2:])
    return opened + OPENING + b"\n" + b",\n".join(map(_plain, scenario["invoices"])) + CLOSING


def _plain(told: Json) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _lines(kept: bytes) -> Iterator[bytes]:
    """The lines of what was kept, unpacked piece by piece."""
    unpacking = zlib.decompressobj()
    begun: list[bytes] = []
    for at in range(0, len(kept), PIECE):
        more, *lines = unpacking.decompress(kept[at : at + PIECE]).split(b"\n")
        begun.append(more)
        if lines:
            yield b"".join(begun)
            yield from lines[:-1]
            begun = [lines[-1]]
    yield b"".join(begun)


def packed(scenario: Json) -> tuple[bytes, str]:
    """The file of a scenario as it is kept, and its SHA-256."""
    content = _file_of(scenario)
    return zlib.compress(content), hashlib.sha256(content).hexdigest()


def locked_later(session: Session, claim: Claim) -> int | None:
    """The first later year of the platform whose claim is locked: it was reckoned with what this one left of caps."""
    return session.scalar(
        select(func.min(Claim.year)).where(
            Claim.platform_id == claim.platform_id,
            Claim.policy == claim.policy,
            Claim.year > claim.year,
            Claim.state.in_(FROZEN),
        )
    )
