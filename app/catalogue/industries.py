"""The industries that the policy wants covered, and which of them a platform serves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.catalogue.annex import DATA, annex_platforms


@dataclass(frozen=True, slots=True)
class Industry:
    """One industry of 三(一)–(三). ``labels`` are the words by which the annexes and platforms call it."""

    key: str
    zh: str
    en: str
    clause: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the annex's word does not tell which industry a platform serves: what we read, and why."""

    platform: str
    industries: tuple[str, ...]
    zh: str
    en: str


@cache
def industries() -> tuple[Industry, ...]:
    return tuple(
        Industry(one["key"], one["zh"], one["en"], one["clause"], frozenset(one["labels"]))
        for one in _told()["industries"]
    )


@cache
def readings() -> dict[str, Reading]:
    """By the platform's code."""
    return {
        one["platform"]: Reading(one["platform"], tuple(one["industries"]), one["zh"], one["en"])
        for one in _told()["readings"]
    }


def industries_of(code: str, field: str) -> frozenset[str]:
    """Keys of the industries that a platform serves: as read, else by its annex rows, else by its own field."""
    if code in readings():
        return frozenset(readings()[code].industries)
    rows = annex_platforms().get(code, ())
    return _by_label({row.field for row in rows} or {field})


def _by_label(labels: Iterable[str]) -> frozenset[str]:
    return frozenset(one.key for one in industries() for label in labels if label in one.labels)


@cache
def _told() -> dict[str, list[dict[str, Any]]]:
    return dict(json.loads((DATA / "industries.json").read_text(encoding="utf-8")))
