"""The towns and streets of Jinjiang, as they are named since a day. A park is named freely: there is no closed list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

HOME_REGION = "晋江"
PARKS = ("晋江经济开发区",)
"""Offered while a name is typed; any other name is as good."""


@dataclass(frozen=True, slots=True)
class Towns:
    """What the city is divided into from ``first_day`` on. ``source`` is where the list can be checked."""

    first_day: date
    source: str
    names: tuple[str, ...]


LISTS = (
    Towns(
        date(2025, 11, 29),
        "晋江市行政区划：6 个街道、13 个镇",
        (
            "青阳街道", "梅岭街道", "西园街道", "罗山街道", "新塘街道", "灵源街道",
            "陈埭镇", "池店镇", "安海镇", "磁灶镇", "内坑镇", "紫帽镇", "东石镇", "永和镇", "英林镇", "金井镇",
            "龙湖镇", "深沪镇", "西滨镇",
        ),
    ),
)  # fmt: skip


def towns_on(day: date) -> Towns:
    """The list that holds on a day; before the first one, the first."""
    return next((one for one in reversed(LISTS) if one.first_day <= day), LISTS[0])
