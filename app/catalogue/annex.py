"""The nineteen rows of the policy's two annexes: which platform each describes, and why two may be one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


class Likeness(StrEnum):
    """How sure it is that two rows describe one platform. Only ``UNCONFIRMED`` ones are kept apart."""

    IDENTICAL = "identical"
    SIMILAR_NAME = "same_entity_similar_name"
    PROBABLE = "related_entity_probable"
    UNCONFIRMED = "related_entity_unconfirmed"


@dataclass(frozen=True, slots=True)
class Pair:
    """Another row that describes the same platform, or may, and why."""

    other: str
    how: Likeness
    because_zh: str
    because_en: str


@dataclass(frozen=True, slots=True)
class AnnexRow:
    """One row, verbatim. ``platform`` is the code of the platform that it describes.

    ``remarks`` on it are ``zh`` and ``en``.
    """

    id: str
    annex: str
    title: str
    number: int
    kind: str
    name: str
    field: str
    host: str
    platform: str
    pairs: tuple[Pair, ...]
    remarks: tuple[Mapping[str, str], ...]


@cache
def annex_rows() -> tuple[AnnexRow, ...]:
    """All rows in the order of the annexes."""
    told = json.loads((DATA / "platforms.json").read_text(encoding="utf-8"))["platforms"]
    return tuple(
        AnnexRow(
            id=one["id"],
            annex=one["annex"],
            title=one["annex_title"],
            number=one["number"],
            kind=one["class"],
            name=one["name"],
            field=one["field"],
            host=one["host"],
            platform=one["catalogue_key"],
            pairs=tuple(
                Pair(pair["id"], Likeness(pair["how"]), pair["because_zh"], pair["because_en"])
                for pair in one["same_as"]
            ),
            remarks=tuple(one["remarks"]),
        )
        for one in told
    )


def annex_platforms() -> dict[str, list[AnnexRow]]:
    """The rows of each distinct platform, by its code."""
    found: dict[str, list[AnnexRow]] = {}
    for row in annex_rows():
        found.setdefault(row.platform, []).append(row)
    return found


def distinct_if(merged: Sequence[Likeness]) -> int:
    """How many platforms the rows describe if pairs of these kinds are one platform each."""
    rows = annex_rows()
    pairs = {frozenset((row.id, pair.other)) for row in rows for pair in row.pairs if pair.how in merged}
    return len(rows) - len(pairs)
