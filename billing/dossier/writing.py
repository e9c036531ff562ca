"""Write the dossier of a platform's year: in portions, each a transaction, so that a person can watch it grow.

A portion leaves its parts in a folder of its own; a portion that is done again writes the same parts. The last one
makes one file of them.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalogue.models import Platform
from app.identity.rules.notice import msgid
from app.kernel.errors import Conflict, Refusal
from app.kernel.long_work import LongWork, WorkState, ask
from billing.answering import POLICY
from billing.claims.record import OneByOne, basis_one_by_one
from billing.dossier.archive import Archive
from billing.dossier.document import claim_pdf
from billing.dossier.packing import CSV, WORKBOOK, Plan, lines_of, numbers_of, pack, write_table
from billing.dossier.pricing_again import charged_of
from billing.dossier.tables import told
from billing.dossier.told import cases_told, in_portions, lines_told, readings_of_cases, sessions_of_cases, span_told
from billing.dossier.verify import LONGEST_LINE, Register
from billing.models import Dossier
from billing.policies import policy_by_number
from billing.rules.dossier.cases import Basis
from billing.rules.dossier.judged import Judged
from billing.rules.dossier.judgement import assessment_told, policy_told
from billing.rules.dossier.lines import Following
from billing.rules.dossier.portion import packed
from billing.rules.dossier.sales import NAME as DOCUMENTS
from billing.rules.dossier.sales import Numbers
from billing.rules.dossier.wrong import DoesNotHold
from devices.sealed import sealed_parts, seals_told
from devices.spans import spans_of

Json = dict[str, Any]
KIND = "dossier"
FOLDER = "dossiers"
"""Where they are kept, in the folder of the house."""
MOST_LINES, MOST_READINGS, MOST_CASES = 5000, 100_000, 1000
"""So much is in one portion: some seconds."""
SECONDS = {"lines": 2, "cases": 4}
LINES_A_SECOND = {"facts": 8000, "claim": 8000, "table": 20_000, "workbook": 1250, "file": 8000}
"""About how long portions take, so that the progress that is shown is one of time."""
PLAN, CLAIM, SUMS = "plan.json", "claim.pdf", "sums.json"
PACKING = 3
"""How hard gzip tries: half the time of its default, and a twentieth more bytes."""


@dataclass(frozen=True, slots=True)
class House:
    """Where dossiers are kept, and the seed of the key that signs them and the seals."""

    folder: Path
    key: bytes


def ask_for(session: Session, platform_id: int, year: int, *, by: int | None, at: datetime) -> int:
    """Put the dossier of a platform's year in line. Returns the id of the work."""
    return ask(session, kind=KIND, platform_id=platform_id, arguments={"year": year}, by=by, at=at).id


def go_on(session: Session, work_id: int, *, house: House, at: datetime) -> tuple[bool, int, int]:
    """Write a portion of it here and now. Returns whether there is more, and how many portions of how many are done.

    Errors: the ``Refusal`` that ended it.
    """
    work = session.scalars(select(LongWork).where(LongWork.id == work_id).with_for_update()).one()
    if work.going_on:
        work.state = WorkState.RUNNING
        write_portion(session, work, at, house=house)
        session.flush()
    return work.going_on, work.done, work.total


def keep_as(session: Session, work_id: int, file: Path, *, house: House) -> None:
    """Copy the file that this work wrote. Errors: ``Conflict`` where it wrote none."""
    name = session.scalar(select(Dossier.file).where(Dossier.long_work_id == work_id))
    if name is None:
        raise Conflict("证据包没有生成，请查看后台处理的说明。")
    shutil.copyfile(house.folder / name, file)


def write_portion(session: Session, work: LongWork, at: datetime, *, house: House) -> None:
    """A portion of long work: the dossier of ``arguments["year"]``.

    Errors: ``Conflict`` naming what would not hold: such a dossier is not written.
    """
    parts = house.folder / f"parts-{work.id}"
    try:
        _portion(session, work, at, parts, house)
    except DoesNotHold as wrong:
        shutil.rmtree(parts)
        raise Conflict(
            "证据包没有生成：%(where)s 的 %(which)s 应为 %(expected)s，实为 %(found)s。请先更正记录，再重新生成。",
            where=wrong.where, which=wrong.which, expected=wrong.expected, found=wrong.found,
        ) from wrong  # fmt: skip
    except Refusal:
        shutil.rmtree(parts, ignore_errors=True)
        raise


def _portion(session: Session, work: LongWork, at: datetime, parts: Path, house: House) -> None:
    done = int(work.arguments.get("portion", 0))
    if done == 0 or not (parts / PLAN).exists():
        parts.mkdir(parents=True, exist_ok=True)
        plan = _open(session, work.platform_id or 0, int(work.arguments["year"]), parts)
        done = 0
    else:
        plan = _read(parts / PLAN)
        match plan[done]:
            case "lines", number, ids, _:
                _write_lines(session, _read(parts / ids), parts, number)
            case "cases", number, ids, _:
                _write_cases(session, _read(parts / ids), parts, number)
            case "claim", *_:
                _write_claim(session, parts, plan, at)
            case "table" | "workbook", _, name, _:
                write_table(name, parts, plan)
            case _:
                _close(session, work, parts, house, plan, at)
    seconds = [one[3] for one in plan]
    work.progressed(sum(seconds[: done + 1]), total=sum(seconds))
    work.arguments = {**work.arguments, "portion": done + 1}


def _open(session: Session, platform_id: int, year: int, parts: Path) -> Plan:
    """Facts and assessment; and which lines, cases and tables are told in which portion. O(lines), few in memory."""
    basis = basis_one_by_one(session, platform_id, year)
    _keep(parts / "facts.json", basis.scenario)
    with (parts / DOCUMENTS).open("wb") as out:
        for one in basis.invoices:
            if out.write(line := _line(one)) > LONGEST_LINE:
                expected = f"at most {LONGEST_LINE} bytes"
                raise DoesNotHold(DOCUMENTS, f"document {one['no']}", expected=expected, found=len(line))
    judged = _judged(parts, POLICY.number)
    assessed = assessment_told(judged.assessment)
    _put(parts / "assessment.json", assessed)
    _put(parts / "policy.json", policy_told(judged.policy))
    _put(parts / "claim.json", _claim(session.get_one(Platform, platform_id), year, basis, assessed))
    some: dict[str, Iterable[Any]] = {
        "lines": in_portions(judged.lines(), MOST_LINES),
        "cases": _portions(readings_of_cases(session, judged.lines(counted_in=year))),
    }
    short: list[tuple[str, str, str, int]] = []
    lines = 0
    for kind, each in some.items():
        for number, ids in enumerate(each, start=1):
            short.append((kind, f"{number:06d}", f"ids-{kind}-{number:06d}.json", SECONDS[kind]))
            _keep(parts / short[-1][2], ids)
            lines += len(ids) if kind == "lines" else 0
    after = [("claim", CLAIM), *(("table", one) for one in CSV), ("workbook", WORKBOOK), ("file", "")]
    facts, *long = [(kind, name, name, 1 + lines // LINES_A_SECOND[kind]) for kind, name in [("facts", ""), *after]]
    plan = [facts, *short, *long]
    _keep(parts / PLAN, plan)
    return plan


def _claim(platform: Platform, year: int, basis: OneByOne, assessed: Json) -> Json:
    begins = f"{year} "
    return {
        "platform": basis.scenario["platform"]["name"],
        "platform_en": platform.name_en,
        "code": platform.code,
        "sample": platform.illustrative,
        "year": year,
        "policy": assessed["policy"],
        "locked_on": basis.locked_on and basis.locked_on.isoformat(),
        "grants": {
            key.removeprefix(begins): one for key, one in assessed["grants"].items() if key.startswith(begins)
        },
    }  # fmt: skip


def _portions(readings: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    some: list[int] = []
    held = 0
    for case, count in readings:
        if some and (held + count > MOST_READINGS or len(some) >= MOST_CASES):
            yield some
            some, held = [], 0
        some.append(case)
        held += count
    if some:
        yield some


def _write_lines(session: Session, ids: list[int], parts: Path, number: str) -> None:
    with (parts / f"lines-{number}.jsonl").open("wb") as out:
        out.writelines(map(_line, lines_told(session, ids)))


def _write_cases(session: Session, ids: list[int], parts: Path, number: str) -> None:
    """One portion of cases, and the readings behind them with their proofs."""
    spans = spans_of(session, sessions_of_cases(session, ids))
    again = {one for span in spans.spans for one in span.session_ids}
    charged: list[list[Any]] = []
    with (parts / f"cases-{number}.jsonl").open("wb") as out:
        for case in cases_told(session, ids, spans):
            charged += charged_of(case, again)
            out.write(_line(case))
    found = list(sealed_parts(session, [span.wanted for span in spans.spans]))
    used = [part.seal_id for part in found]
    whole = b"".join(packed([span_told(span) for span in spans.spans], found))
    (parts / f"readings-{number}.gz").write_bytes(gzip.compress(whole, PACKING, mtime=0))
    readings = sum(len(block.rows) for part in found for block in part.blocks)
    _keep(parts / f"kept-{number}.json", {"seals": used, "readings": readings, "charged": charged})


def _write_claim(session: Session, parts: Path, plan: Plan, at: datetime) -> None:
    """The seals that are needed and the claim as a document, once every line was followed down to its charge."""
    claim = _read(parts / "claim.json")
    seals: set[int] = set()
    register = Register()
    readings = 0
    for number in numbers_of(plan, "cases"):
        kept = _read(parts / f"kept-{number}.json")
        seals |= set(kept["seals"])
        readings += kept["readings"]
        for charge, told_ in kept["charged"]:
            register.add("charge", f"{charge}", json.dumps(told_, ensure_ascii=False))
    with (parts / "seals.jsonl").open("wb") as out:
        out.writelines(_line(seal) for seal in seals_told(session, seals))
    judged = _judged(parts, claim["policy"])
    numbers = Numbers(register, code=claim["code"])
    following = Following("lines.jsonl", register, judged.counting(claim["year"]), numbers)
    tally = following.follow(lines_of(parts, plan), judged.sales())
    numbers.last()
    (parts / CLAIM).write_bytes(claim_pdf(claim, judged.assessment, judged.policy, tally, readings, at=at))
    unexplained = tally.lines.get(Basis.UNEXPLAINED, 0)
    _keep(parts / SUMS, {"lines": sum(tally.lines.values()), "readings": readings, "unexplained": unexplained})


def _close(session: Session, work: LongWork, parts: Path, house: House, plan: Plan, at: datetime) -> None:
    """One file of all parts, signed; that of before is removed."""
    claim, sums = _read(parts / "claim.json"), _read(parts / SUMS)
    year = claim["year"]
    name = f"{claim['code']}-{year}-{work.id}.zip"
    draft = house.folder / f"{name}.part"
    about = {"platform": claim["platform"], "year": year, "made_at": at.isoformat()}
    with Archive(draft, at=at, key=house.key, about=about) as archive:
        pack(archive, parts, plan)
    draft.replace(house.folder / name)
    for older in session.scalars(
        select(Dossier.file).where(Dossier.platform_id == work.platform_id, Dossier.year == year)
    ):
        (house.folder / older).unlink(missing_ok=True)
    session.add(Dossier(
        platform_id=work.platform_id,
        year=year,
        long_work_id=work.id,
        file=name,
        bytes=(house.folder / name).stat().st_size,
        lines=sums["lines"],
        readings=sums["readings"],
        made_at=at,
    ))  # fmt: skip
    session.flush()
    shutil.rmtree(parts)
    said = msgid("证据包已备好，可以下载（%(lines)s 行，%(readings)s 条读数）。")
    if sums["unexplained"]:
        said = msgid("证据包已备好（%(lines)s 行，%(readings)s 条读数），"
                     "但有 %(unexplained)s 行的金额与规则计价不符且原因不明，包内已注明。")  # fmt: skip
    work.finish(said, at=at, **sums)


def _judged(parts: Path, policy: str) -> Judged:
    scenario = _read(parts / "facts.json")
    return Judged(scenario, policy_by_number(policy), lambda: told(parts / DOCUMENTS))


def _read(file: Path) -> Any:
    return json.loads(file.read_bytes())


def _keep(file: Path, told_: Any) -> None:
    """What is long: without line breaks it is written ten times as fast."""
    file.write_bytes(_line(told_))


def _put(file: Path, told_: Any) -> None:
    file.write_text(json.dumps(told_, ensure_ascii=False, indent=1), encoding="utf-8")


def _line(told_: Any) -> bytes:
    return json.dumps(told_, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
