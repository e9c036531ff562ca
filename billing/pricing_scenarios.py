"""Pricing scenarios: calculate, compare with what was expected, print. ``pricing_files`` reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from app.kernel.money import Money, total
from billing.pricing_files import FORMAT, fixed_charge
from billing.rules.figures import plain, yuan
from billing.rules.pricing.bill import Payer, credit_notes, fixed_line, make_100, shares_of
from billing.rules.pricing.outcome import REASONS, Free, NeedsReview, Priced, PricedLine, Refused
from billing.rules.pricing.price import price_use
from billing.rules.pricing.told import read_facts
from billing.rules.tax import Taxed
from billing.scenario_files import Json, compare

__all__ = ["FORMAT", "check", "price_scenario", "simulate", "table"]

STATUS = {Free: "free", NeedsReview: "needs_review", Refused: "refused"}
_SUMS = ("support", "net", "vat", "gross", "payable")


def price_scenario(scenario: Mapping[str, Any]) -> Json:
    """The result of one checked scenario. ``expect`` is not looked at."""
    payers = [
        Payer(p["name"], Decimal(p["percent"]), p.get("takes_remainder", False)) for p in scenario.get("payers", ())
    ]
    if payers and not make_100(payers):
        return _unpriced(scenario, Refused("payers_not_100"))
    lines, support, month = _bill(scenario)
    if isinstance(lines, Free | NeedsReview | Refused):
        return _unpriced(scenario, lines)
    with_vat = _knows_vat(scenario)
    net, gross = total([line.amount.net for line in lines]), total([line.amount.gross for line in lines])
    result: Json = {
        "id": scenario["id"],
        "status": "priced",
        "lines": [_line(line, with_vat=with_vat) for line in lines],
        "support": str(support),
        "net": str(net),
        "vat": str(gross - net),
        "gross": str(gross),
        "payable": str(gross - support),
    }
    if month is not None:
        result["billing_month"] = f"{month:%Y-%m}"
    if payers:
        result["shares"] = [
            {"name": share.name, "payable": str(share.payable)}
            | ({"net": str(share.net), "vat": str(share.tax)} if with_vat else {})
            for share in shares_of(lines, support, payers)
        ]
    if scenario.get("credit_notes"):
        result["credit_notes"] = [_note(note) for note in credit_notes(lines, _asked(scenario["credit_notes"]))]
    result["explanation"] = [f"{line.explanation_zh} / {line.explanation_en}" for line in lines]
    if support:
        result["explanation"].append(
            f"应付：{yuan(gross)} − 补贴 {yuan(support)} = {yuan(gross - support)}"
            f" / Payable: {yuan(gross)} − support {yuan(support)} = {yuan(gross - support)}"
        )
    return result


def simulate(scenarios: Iterable[Mapping[str, Any]]) -> Json:
    """The results of checked scenarios in the format that ``--json`` prints."""
    return {"format": 1, "results": [price_scenario(scenario) for scenario in scenarios]}


def check(results: Json, scenarios: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each result that is not as expected; none if all are.

    Errors: ``InvalidInput`` if a scenario says nothing of what it expects.
    """
    return compare(results["results"], scenarios, _differences)


def table(results: Json) -> str:
    """The results for a person: lines as rows, below them the sums and how they came about."""
    rows: list[str] = []
    for result in results["results"]:
        reason = f" {result['reason']}" if "reason" in result else f" {result.get('billing_month', '')}".rstrip()
        rows.append(f"== {result['id']}  {result['status']}{reason}")
        for line in result.get("lines", ()):
            rows.append(
                f"   {line['kind']:<15}{line['quantity']:>12} {line['unit']:<8}"
                f"{line['net']:>14}{line.get('vat', ''):>12}".rstrip()
            )
        if result["status"] == "priced":
            rows.append("   " + "  ".join(f"{key} {result[key]}" for key in _SUMS))
        for share in result.get("shares", ()):
            rows.append(f"   → {share['name']} {share['payable']}")
        for note in result.get("credit_notes", ()):
            rows.append("   ↺ " + "  ".join(f"{key} {value}" for key, value in note.items()))
        rows += [f"     {sentence}" for sentence in result["explanation"]]
    return "\n".join(rows)


def _bill(
    scenario: Mapping[str, Any],
) -> tuple[tuple[PricedLine, ...] | Free | NeedsReview | Refused, Money, date | None]:
    nothing = Money(0)
    if "fixed_charges" in scenario:
        given = [fixed_line(fixed_charge(charge, i)) for i, charge in enumerate(scenario["fixed_charges"])]
        lines = tuple(line for line in given if line.amount.gross)
        return lines or Free("zero_price"), nothing, None
    facts = read_facts(scenario)
    outcome = facts if isinstance(facts, Refused) else price_use(facts)
    if isinstance(outcome, Priced):
        return outcome.lines, outcome.support, outcome.billing_month
    return outcome, nothing, None


def _asked(notes: Iterable[Mapping[str, Any]]) -> list[tuple[str, Money | None]]:
    return [
        ("gross", None) if "all_remaining" in note else (key, Money.of(note[key]))
        for note in notes
        for key in list(note)[:1]
    ]


def _knows_vat(scenario: Mapping[str, Any]) -> bool:
    """Whether any VAT rate of the scenario is above zero."""
    tariff = scenario.get("tariff", {})
    holders = [tariff, *tariff.get("extras", ()), *scenario.get("fixed_charges", ())]
    holders += [tariff[key] for key in ("cancellation", "no_show") if key in tariff]
    return any(Decimal(holder.get("vat_rate", "0.00")) for holder in holders)


def _unpriced(scenario: Mapping[str, Any], outcome: Free | NeedsReview | Refused) -> Json:
    zh, en = REASONS[outcome.reason]
    return {
        "id": scenario["id"],
        "status": STATUS[type(outcome)],
        "reason": outcome.reason,
        "explanation": [f"{zh} / {en}"],
    }


def _line(line: PricedLine, *, with_vat: bool) -> Json:
    told: Json = {
        "kind": line.kind.value,
        "quantity": plain(line.quantity),
        "unit": line.unit,
        "net": str(line.amount.net),
    }
    return told | {"vat": str(line.amount.tax)} if with_vat else told


def _note(note: Taxed | None) -> Json:
    if note is None:
        return {"refused": "exceeds_remaining"}
    return {"net": str(-note.net), "vat": str(-note.tax), "gross": str(-note.gross)}


def _differences(result: Json, scenario: Mapping[str, Any]) -> Iterator[str]:
    expect, by_lines = scenario["expect"], scenario.get("compare", "lines") == "lines"
    for key in ("status", "reason"):
        if result.get(key) != expect.get(key):
            yield f"{key}: {result.get(key)} ≠ {expect.get(key)}"
    if result["status"] != "priced" or expect["status"] != "priced":
        return
    for key in (*_SUMS, *(key for key in ("billing_month", "credit_notes") if key in expect)):
        if result.get(key) != expect[key]:
            yield f"{key}: {result.get(key)} ≠ {expect[key]}"
    shares = result.get("shares", [])
    if "shares" in expect and (
        len(shares) != len(expect["shares"])
        or any(
            is_.get(key) != should[key] for is_, should in zip(shares, expect["shares"], strict=True) for key in should
        )
    ):
        yield f"shares: {shares} ≠ {expect['shares']}"
    if by_lines:
        yield from _line_differences(result["lines"], expect["lines"])


def _line_differences(lines: list[Json], wanted: list[Json]) -> Iterator[str]:
    """Lines in any order; those of 0.00 do not count, and VAT only where it is given."""
    with_vat = any("vat" in line for line in wanted)

    def key(line: Json) -> tuple[Any, ...]:
        vat = (line.get("vat"),) if with_vat else ()
        return line["kind"], Decimal(line["quantity"]), line["unit"], line["net"], *vat

    is_, should = (Counter(key(line) for line in some if line["net"] != "0.00") for some in (lines, wanted))
    yield from (f"line too many: {' '.join(map(str, line))}" for line in (is_ - should).elements())
    yield from (f"line missing: {' '.join(map(str, line))}" for line in (should - is_).elements())
