"""What the claim says at its head, against the facts, the assessment and the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.rules.dossier.judgement import insist_same
from billing.rules.dossier.wrong import DoesNotHold, insist
from billing.rules.facts import Facts

NAME = "claim.json"
STATED = ("platform_en", "sample")
"""Of its head, what stands nowhere else."""


def year_of(claim: Mapping[str, Any]) -> int:
    """Errors: ``DoesNotHold`` where it is no number."""
    year = claim["year"]
    if type(year) is not int:
        raise DoesNotHold(NAME, "year", expected="a number", found=repr(year))
    return year


def insist_claim(
    claim: Mapping[str, Any],
    *,
    scenario: Mapping[str, Any],
    facts: Facts,
    assessed: Mapping[str, Any],
    manifest: Mapping[str, Any],
) -> None:
    """Errors: ``DoesNotHold`` naming what is said otherwise elsewhere."""
    year = year_of(claim)
    locked_on = facts.locked_on(year)
    code = claim["code"]
    insist("facts.json", "id", expected=f"C-{code.lower()}-{year}", found=scenario["id"])
    insist("manifest.json", "platform", expected=claim["platform"], found=manifest["platform"])
    insist("manifest.json", "year", expected=year, found=manifest["year"])
    begins = f"{year} "
    expected = {
        "platform": facts.platform.name,
        "code": code,
        "year": year,
        "policy": assessed["policy"],
        "locked_on": locked_on and locked_on.isoformat(),
        "grants": {
            key.removeprefix(begins): one for key, one in assessed["grants"].items() if key.startswith(begins)
        },
        **{key: claim[key] for key in STATED},
    }  # fmt: skip
    insist_same(NAME, expected, claim)
    if claim["grants"].get("P2", {}).get("payable", "0.00") != "0.00" and str(year) not in assessed["revenue"]:
        raise DoesNotHold(NAME, "P2", expected=f"revenue of {year}", found="none")
