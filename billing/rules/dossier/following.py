"""A dossier from its policy to the claim, once its files are known to be the signed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from billing.policies import policy_by_number
from billing.rules.dossier.claimed import insist_claim, year_of
from billing.rules.dossier.judged import Judged
from billing.rules.dossier.judgement import assessment_told, changed_settings, insist_same, policy_told
from billing.rules.dossier.lines import Following
from billing.rules.dossier.once import Whole
from billing.rules.dossier.sales import NAME as SALES
from billing.rules.dossier.sales import Numbers
from billing.rules.dossier.seals import Signed, chained
from billing.rules.dossier.summary import summary
from billing.rules.dossier.tables import csv_of, tables_of
from billing.rules.dossier.wrong import DoesNotHold, insist

Json = dict[str, Any]
MEMBERS = frozenset({
    "README.txt", "verify.py", "claim.pdf", "tables.xlsx", "claim.json", "facts.json", "assessment.json",
    "policy.json", "seals.jsonl", "lines.jsonl", SALES,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dossier:
    """How its members are read, how its portions are checked, and whom each check that holds is told."""

    manifest: Mapping[str, Any]
    json: Callable[[str], Any]
    lines: Callable[[str], Iterable[Json]]
    portions: Callable[[Sequence[str], Mapping[int, tuple[int, str]]], Whole]
    held: Callable[[str, object], None]


def follow_dossier(dossier: Dossier, *, key: bytes, signed: Signed, seal: str | None) -> tuple[list[str], bool]:
    """What it shows, line by line, and whether money rests on statements only. Errors: ``DoesNotHold``."""
    held = dossier.held
    claim, scenario = dossier.json("claim.json"), dossier.json("facts.json")
    portions = [name[6:-6] for name in dossier.manifest["files"] if name.startswith("cases/")]
    _insist_known(dossier.manifest["files"], portions)
    year = year_of(claim)
    policy = policy_by_number(claim["policy"])
    insist_same("policy.json", policy_told(policy), dossier.json("policy.json"))
    held("policy", f"{policy.number}, {len(policy.values)} numbers, {len(policy.settings)} readings of it")
    chain = chained("seals.jsonl", dossier.lines("seals.jsonl"), key=key, signed=signed)
    if seal is not None and seal.lower() not in chain.hashes:
        raise DoesNotHold("seals.jsonl", "the seal that was given", expected=seal, found="none of this hash")
    held("seals", f"{len(chain.seals)}, chained from the first and signed, the last is {chain.last}")
    whole = dossier.portions(portions, chain.seals)
    by_digest = f", {whole.by_digest} of them by their message's digest only" if whole.by_digest else ""
    held("raw messages → readings → seals", f"{whole.readings} readings{by_digest}")
    held("readings → sessions", f"{whole.sessions} derived again, none twice")
    held("sessions → charges", f"{whole.charges} told, none twice")
    judged = Judged(scenario, policy, lambda: dossier.lines(SALES))
    numbers = Numbers(whole.register, code=claim["code"])
    following = Following("lines.jsonl", whole.register, judged.counting(year), numbers)
    tally = following.follow(dossier.lines("lines.jsonl"), judged.sales())
    last = numbers.last()
    held("charges → invoice lines → documents", f"{sum(tally.lines.values())} lines count, {tally.others} others")
    assessed = assessment_told(judged.assessment)
    insist_same("assessment.json", assessed, dossier.json("assessment.json"))
    held("facts → assessment", f"{len(assessed['trace'])} steps")
    insist_claim(claim, scenario=scenario, facts=judged.facts, assessed=assessed, manifest=dossier.manifest)
    held("assessment → claim", f"{claim['platform']}, {year}")
    _insist_tables(dossier, portions)
    held("lines, cases and documents → tables/*.csv", "the same")
    changed = changed_settings(judged.settings)
    said = summary(claim, tally, readings=whole.readings, last=last, changed=changed, terms=whole.terms)
    return list(said), bool(tally.stated)


def _insist_known(names: Iterable[str], portions: Iterable[str]) -> None:
    """Errors: ``DoesNotHold`` for a member that nothing here looks at: people might."""
    known = {*MEMBERS, *(one for number in portions for one in (f"cases/{number}.jsonl", f"readings/{number}.gz"))}
    for name in names:
        if name not in known and name.partition("/")[0] not in ("sources", "tables"):
            raise DoesNotHold("manifest.json", name, expected="a member of a dossier", found="another")


def _insist_tables(dossier: Dossier, portions: Sequence[str]) -> None:
    """Errors: ``DoesNotHold`` naming the table that says something else, or that is none."""

    def cases() -> Iterator[Json]:
        for number in portions:
            yield from dossier.lines(f"cases/{number}.jsonl")

    files = dossier.manifest["files"]
    some = tables_of(lambda: dossier.lines("lines.jsonl"), cases, lambda: dossier.lines(SALES))
    tables = {f"tables/{one.name}.csv": one for one in some}
    for name in (*tables, *(one for one in files if one.startswith("tables/") and one not in tables)):
        digest = sha256()
        for piece in csv_of(tables[name]) if name in tables else ():
            digest.update(piece)
        found = files[name]["sha256"] if name in files else "none"
        insist(name, "the table, its SHA-256", expected=digest.hexdigest() if name in tables else "none", found=found)
