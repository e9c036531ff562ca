"""A policy and what follows from it, as plain data that is kept, compared and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing.rules.dossier.wrong import DoesNotHold
from billing.rules.grant import Grant, Step
from billing.rules.policy import Policy, Setting, Settings
from billing.rules.revenue import RevenueYear
from billing.rules.subsidy import Assessment

Json = dict[str, Any]


def policy_told(policy: Policy) -> Json:
    """Every number and every open question of a policy document."""
    return {
        "number": policy.number,
        "title_zh": policy.title_zh,
        "title_en": policy.title_en,
        "issued_on": policy.issued_on.isoformat(),
        "in_force_from": policy.in_force_from.isoformat(),
        "in_force_to": policy.in_force_to and policy.in_force_to.isoformat(),
        "reference": policy.reference,
        "values": {
            f"{one.key} from {one.first_day}": {
                "value": str(one.value), "unit": one.unit, "clause": one.clause, "zh": one.zh, "en": one.en,
            }
            for one in policy.values
        },
        "settings": {one.key: _setting_told(one) for one in policy.settings},
    }  # fmt: skip


def assessment_told(assessment: Assessment) -> Json:
    """The result with its trace; nothing of the lines, which the tables have."""
    return {
        "policy": assessment.policy,
        "settings": {key: _plain(value) for key, value in sorted(assessment.settings.values.items())},
        "grants": {f"{one.year} {one.programme}": _grant_told(one) for one in assessment.grants},
        "revenue": {str(one.year): _revenue_told(one) for one in assessment.revenue_years},
        "flags": list(assessment.flags),
        "premises_m2": assessment.premises_m2,
        "trace": [_step_told(one) for one in assessment.trace],
    }


def changed_settings(settings: Settings) -> Json:
    """The answers that are not the policy's default."""
    return {key: _plain(settings.values[key]) for key in sorted(settings.overridden)}


def insist_same(where: str, expected: Any, found: Any, path: str = "") -> None:
    """Errors: ``DoesNotHold`` with the path to the first place where the two differ."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in (*expected, *(one for one in found if one not in expected)):
            insist_same(
                where, expected.get(key, "nothing"), found.get(key, "nothing"), f"{path} › {key}" if path else str(key)
            )
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            insist_same(where, one, other, f"{path} [{place}]")
    elif expected != found:
        raise DoesNotHold(where, path, expected=expected, found=found)


def _grant_told(one: Grant) -> Json:
    return {
        "payable": str(one.payable.amount),
        "upper": str(one.payable.upper),
        "own": str(one.payable.own),
        "payee": one.payee,
        "reason": one.reason and one.reason.value,
        "estimate": None if one.estimate is None else str(one.estimate),
        "clawback": str(one.clawback.amount),
    }


def _revenue_told(one: RevenueYear) -> Json:
    return {
        "with_tax": str(one.with_tax),
        "tax": str(one.tax),
        "excluded": {reason.value: str(amount) for reason, amount in one.excluded.items()},
        "carried_in": str(one.carried_in),
        "base": str(one.base),
    }


def _step_told(one: Step) -> Json:
    return {
        "code": one.code,
        "source": one.source,
        "zh": one.zh,
        "en": one.en,
        "year": one.year,
        "programme": one.programme,
        "figures": {name: str(amount) for name, amount in one.figures.items()},
    }


def _setting_told(one: Setting) -> Json:
    return {
        "default": _plain(one.default),
        "question_zh": one.question_zh,
        "question_en": one.question_en,
        "why_zh": one.why_zh,
        "why_en": one.why_en,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
