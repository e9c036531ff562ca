"""The facts about a platform as a scenario, the form in which they are kept, simulated and handed on; and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.money import ZERO, Money
from billing.rules import facts as f
from billing.rules.policy import Settings
from billing.rules.words import RevenueCategory

Json = dict[str, Any]
_NOTHING = "0.00"


def scenario_facts(scenario: Mapping[str, Any]) -> f.Facts:
    """The facts of a checked scenario as values."""
    p = scenario["platform"]
    operators = tuple(f.Operator(o["name"], _day(o["from"]), _day_or_none(o["to"])) for o in p["operators"])
    return f.Facts(
        platform=f.Platform(
            p["name"],
            operators,
            _day_or_none(p["certified_on"]),
            p["certification_document"],
            _day_or_none(p["operating_since"]),
            p.get("host"),
        ),
        recognitions=tuple(
            f.Recognition(r["level"], _day(r["recognised_on"]), r["newly"], r["document"])
            for r in scenario.get("recognitions", ())
        ),
        evaluations=tuple(f.Evaluation(**e) for e in scenario.get("evaluations", ())),
        documents=tuple(document_of(d) for d in scenario.get("invoices", ())),
        prepayments=_payments(scenario.get("prepayments", ())),
        filings=tuple(f.Filing(x["year"], _day(x["locked_on"])) for x in scenario.get("filings", ())),
        assets=tuple(_asset(a) for a in scenario.get("assets", ())),
        applications=_applications(scenario.get("applications")),
        requested_m2=scenario.get("premises", {}).get("requested_m2"),
        other_grants=tuple(
            f.OtherGrant(**{**g, "amount": Money.of(g["amount"]), "asset_nos": tuple(g.get("asset_nos", ()))})
            for g in scenario.get("other_grants", ())
        ),
        decisions=tuple(
            f.Decision(d["year"], d["programme"], Money.of(d["amount"])) for d in scenario.get("decisions", ())
        ),
    )


def scenario_of(facts: f.Facts, settings: Settings, *, name: str) -> Json:
    """Facts and readings as one scenario called ``name``; ``scenario_facts`` reads the same facts back. O(lines)."""
    p = facts.platform
    scenario: Json = {
        "id": name,
        "title_zh": p.name,
        "title_en": p.name,
        "clause": "六(二)",
        "rests_on": sorted(key[:3] for key in settings.values),
        "platform": {
            "name": p.name,
            "operators": [
                {"name": o.name, "from": o.from_on.isoformat(), "to": _text_or_none(o.to_on)} for o in p.operators
            ],
            "certified_on": _text_or_none(p.certified_on),
            "certification_document": p.certification_document,
            "operating_since": _text_or_none(p.operating_since),
        },
        "recognitions": [
            {"level": r.level, "recognised_on": r.recognised_on.isoformat(), "newly": r.newly, "document": r.document}
            for r in facts.recognitions
        ],
        "evaluations": [
            {"year": e.year, "evaluated": e.evaluated, "selected": e.selected, "document": e.document}
            for e in facts.evaluations
        ],
        "invoices": [document_told(d) for d in facts.documents],
        "prepayments": _payments_told(facts.prepayments),
        "filings": [{"year": one.year, "locked_on": one.locked_on.isoformat()} for one in facts.filings],
        "assets": [_asset_told(a) for a in facts.assets],
        "other_grants": [
            {
                "authority_level": g.authority_level,
                "programme_kind": g.programme_kind,
                "year": g.year,
                "amount": str(g.amount),
                "timing": g.timing,
                "asset_nos": list(g.asset_nos),
            }
            for g in facts.other_grants
        ],
        "decisions": [{"year": d.year, "programme": d.programme, "amount": str(d.amount)} for d in facts.decisions],
        "settings": {key: _answer_told(settings.values[key]) for key in sorted(settings.values)},
    }
    if p.host is not None:
        scenario["platform"]["host"] = p.host
    if facts.applications is not None:
        scenario["applications"] = [_application_told(one) for one in facts.applications]
    if facts.requested_m2 is not None:
        scenario["premises"] = {"requested_m2": facts.requested_m2}
    return scenario


def document_of(d: Mapping[str, Any]) -> f.Document:
    """One of a scenario's ``invoices``."""
    return f.Document(
        no=d["no"],
        issued_on=_day(d["issued_on"]),
        service_on=_day(d["service_on"]),
        lines=tuple(_line(line) for line in d["lines"]),
        paid=_payments(d.get("paid", ())),
        credit_note_of=d.get("credit_note_of"),
        ref=d.get("ref"),
    )


def document_told(d: f.Document) -> Json:
    """As it stands among a scenario's ``invoices``."""
    told: Json = {
        "no": d.no,
        "issued_on": d.issued_on.isoformat(),
        "service_on": d.service_on.isoformat(),
        "lines": [_line_told(line) for line in d.lines],
        "paid": _payments_told(d.paid),
        "credit_note_of": d.credit_note_of,
    }
    return told if d.ref is None else {**told, "ref": d.ref}


def _line(line: Mapping[str, Any]) -> f.Line:
    without_tax = line.get("without_tax")
    return f.Line(
        category=RevenueCategory(line["category"]),
        amount=Money.of(line["amount"]),
        tax_rate=Decimal(line["tax_rate"]),
        amount_includes_tax=line["amount_includes_tax"],
        customer_relation=CustomerRelation(line.get("customer_relation", "external")),
        subcontracted=line.get("subcontracted", False),
        no_show_fee=line.get("no_show_fee", False),
        without_tax=None if without_tax is None else Money.of(without_tax),
        service_on=_day_or_none(line.get("service_on")),
        ref=line.get("ref"),
    )


def _line_told(line: f.Line) -> Json:
    told: Json = {
        "category": line.category.value,
        "amount": str(line.amount),
        "tax_rate": str(line.tax_rate),
        "amount_includes_tax": line.amount_includes_tax,
        "customer_relation": line.customer_relation.value,
        "subcontracted": line.subcontracted,
        "no_show_fee": line.no_show_fee,
    }
    if line.without_tax is not None:
        told["without_tax"] = str(line.without_tax)
    if line.service_on is not None:
        told["service_on"] = line.service_on.isoformat()
    if line.ref is not None:
        told["ref"] = line.ref
    return told


def _asset(a: Mapping[str, Any]) -> f.Asset:
    return f.Asset(
        no=a["no"],
        kind=a["kind"],
        accepted_on=_day(a["accepted_on"]),
        paid_on=_day(a["paid_on"]),
        cost=Money.of(a["cost"]),
        cost_includes_tax=a["cost_includes_tax"],
        tax_rate=Decimal(a["tax_rate"]),
        input_tax_creditable=a["input_tax_creditable"],
        fiscal=Money.of(a.get("funding", {}).get("fiscal", _NOTHING)),
        already_paid_under=a.get("already_paid_under"),
    )


def _asset_told(a: f.Asset) -> Json:
    told: Json = {
        "no": a.no,
        "kind": a.kind,
        "accepted_on": a.accepted_on.isoformat(),
        "paid_on": a.paid_on.isoformat(),
        "cost": str(a.cost),
        "cost_includes_tax": a.cost_includes_tax,
        "tax_rate": str(a.tax_rate),
        "input_tax_creditable": a.input_tax_creditable,
        "already_paid_under": a.already_paid_under,
    }
    return {**told, "funding": {"fiscal": str(a.fiscal)}} if a.fiscal != ZERO else told


def _applications(given: Sequence[Mapping[str, Any]] | None) -> tuple[f.Application, ...] | None:
    if given is None:
        return None
    return tuple(f.Application(a["programme"], tuple(a["asset_nos"]), _day_or_none(a.get("on"))) for a in given)


def _application_told(one: f.Application) -> Json:
    told: Json = {"programme": one.programme, "asset_nos": list(one.asset_nos)}
    return told if one.on is None else {**told, "on": one.on.isoformat()}


def _payments(given: Iterable[Mapping[str, Any]]) -> tuple[f.Payment, ...]:
    return tuple(f.Payment(_day(p["on"]), Money.of(p["amount"])) for p in given)


def _payments_told(given: Iterable[f.Payment]) -> list[Json]:
    return [{"on": p.on.isoformat(), "amount": str(p.amount)} for p in given]


def _answer_told(value: Any) -> Any:
    """As JSON keeps it."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _day_or_none(text: str | None) -> date | None:
    return None if text is None else _day(text)


def _text_or_none(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
