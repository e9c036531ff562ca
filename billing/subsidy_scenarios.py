"""Subsidy scenarios: what their files say, calculate, compare with what was expected, print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from app.kernel.errors import InvalidInput
from billing.policies.jinzhengban_2025_13 import POLICY
from billing.rules.grant import Grant
from billing.rules.scenario import scenario_facts
from billing.rules.subsidy import Assessment, assess
from billing.scenario_files import Json, ScenarioFormat, compare

_BEARERS = (POLICY.upper.key, POLICY.own.key)
_MONEY_KEYS = ("payable", *_BEARERS)
_CLAWBACK_KEYS = ("clawback_proposal", *(f"clawback_{key}" for key in _BEARERS))
_NOTHING = "0.00"


def assess_scenario(scenario: Mapping[str, Any]) -> Assessment:
    """Judge one checked scenario. ``expect`` is not looked at."""
    return assess(scenario_facts(scenario), POLICY.settings_with(scenario.get("settings", {})), POLICY)


def simulate(scenarios: Iterable[Mapping[str, Any]]) -> Json:
    """The results of checked scenarios in the format that ``--json`` prints."""
    return {"format": 1, "results": [_result(s["id"], assess_scenario(s)) for s in scenarios]}


def check(results: Json, scenarios: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each result that is not as expected; none if all are.

    Errors: ``InvalidInput`` if a scenario says nothing of what it expects.
    """
    return compare(results["results"], scenarios, _differences)


def table(results: Json) -> str:
    """The results for a person: grants as columns, below them the steps that led there."""
    lines: list[str] = []
    for result in results["results"]:
        lines.append(f"== {result['id']}")
        for grant in result["grants"]:
            more = [f"{key}={grant[key]}" for key in ("payee", "estimate", "clawback_proposal") if key in grant]
            amounts = "".join(f"{grant[key]:>16}" for key in _MONEY_KEYS)
            lines.append(f"   {grant['year']} {grant['programme']}{amounts}  {' '.join(more)}".rstrip())
        lines += [f"   ! {flag}" for flag in result["flags"]]
        lines += [f"     {sentence}" for sentence in result["trace"]]
    return "\n".join(lines)


def _result(scenario_id: str, assessment: Assessment) -> Json:
    return {
        "id": scenario_id,
        "grants": [_grant(grant) for grant in assessment.grants],
        "flags": list(assessment.flags),
        "premises_m2": assessment.premises_m2,
        "trace": [f"[{step.source}] {step.zh} / {step.en}" for step in assessment.trace],
    }


def _grant(grant: Grant) -> Json:
    result: Json = {"year": grant.year, "programme": grant.programme}
    paid, back = grant.payable, grant.clawback
    result |= zip(_MONEY_KEYS, map(str, (paid.amount, paid.upper, paid.own)), strict=True)
    if grant.payee:
        result["payee"] = grant.payee
    if grant.estimate is not None:
        result["estimate"] = str(grant.estimate)
    if back.amount:
        result |= zip(_CLAWBACK_KEYS, map(str, (back.amount, back.upper, back.own)), strict=True)
    return result


def _differences(result: Json, scenario: Mapping[str, Any]) -> Iterator[str]:
    expect = scenario["expect"]
    found = {(g["year"], g["programme"]): g for g in result["grants"]}
    wanted = {(g["year"], g["programme"]): g for g in expect["grants"]}
    nothing = dict.fromkeys(_MONEY_KEYS, _NOTHING)
    for key in sorted(found.keys() | wanted.keys()):
        is_, should = found.get(key, nothing), wanted.get(key, nothing)
        compared = dict.fromkeys((*_MONEY_KEYS, *_CLAWBACK_KEYS), _NOTHING) | {
            name: None for name in ("payee", "estimate") if name in should
        }
        for name, otherwise in compared.items():
            if is_.get(name, otherwise) != should.get(name, otherwise):
                yield f"{key[0]} {key[1]} {name}: {is_.get(name, otherwise)} ≠ {should.get(name, otherwise)}"
    yield from (f"flag {flag} is not raised" for flag in expect.get("flags", ()) if flag not in result["flags"])
    if "premises_m2" in expect and result["premises_m2"] != expect["premises_m2"]:
        yield f"premises_m2: {result['premises_m2']} ≠ {expect['premises_m2']}"


def _contradictions(s: Json) -> Iterator[tuple[str, str]]:
    """What no schema can say: where the facts of a scenario contradict each other, as (key, reason)."""
    try:
        POLICY.settings_with(s.get("settings", {}))
    except InvalidInput as wrong:
        yield f"settings.{wrong.field}", str(wrong)
    platform, invoices = s["platform"], s.get("invoices", [])
    if (platform["certified_on"] is None) != (platform["certification_document"] is None):
        yield "platform.certification_document", "须与 certified_on 同时有或同时无 / goes together with certified_on"
    operators = sorted(platform["operators"], key=lambda o: o["from"])
    for o, following in zip(operators, [*operators[1:], None], strict=True):
        if o["to"] is not None and o["to"] < o["from"]:
            yield "platform.operators", f"{o['name']}：止日早于起日 / ends before it begins"
        if following and (o["to"] is None or following["from"] <= o["to"]):
            yield "platform.operators", f"{following['name']}：期间重叠 / periods overlap"
    for key, name in (("invoices", "no"), ("assets", "no"), ("evaluations", "year"), ("filings", "year")):
        values = [item[name] for item in s.get(key, [])]
        if len(set(values)) != len(values):
            yield f"{key}.{name}", f"重复 / occurs twice: {next(v for v in values if values.count(v) > 1)}"
    originals = {d["no"] for d in invoices if d.get("credit_note_of") is None}
    for i, d in enumerate(invoices):
        is_note = d.get("credit_note_of") is not None
        if is_note and d["credit_note_of"] not in originals:
            yield f"invoices.{i}.credit_note_of", f"没有发票 / no such invoice: {d['credit_note_of']}"
        for j, line in enumerate(d["lines"]):
            if Decimal(line["amount"]) * (-1 if is_note else 1) < 0:
                yield (
                    f"invoices.{i}.lines.{j}.amount",
                    "只有红字发票的金额为负 / negative on credit notes and only there",
                )
    asset_nos = {a["no"] for a in s.get("assets", [])}
    for key in ("applications", "other_grants"):
        for i, item in enumerate(s.get(key, [])):
            for no in item.get("asset_nos", []):
                if no not in asset_nos:
                    yield f"{key}.{i}.asset_nos", f"没有资产 / no such asset: {no}"
    programmes = [(g["year"], g["programme"]) for g in s.get("expect", {}).get("grants", [])]
    if len(set(programmes)) != len(programmes):
        yield "expect.grants", "年度与补助重复 / year and programme occur twice"


FORMAT = ScenarioFormat("subsidy_scenario_schema.json", _contradictions)
