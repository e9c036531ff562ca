"""The towns and streets of Jinjiang, as they are named since a day. A park is named freely: there is no closed list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

HOME_REGION = "晋江"
PARKS = {"晋江经济开发区": "Jinjiang Economic Development Zone"}
"""Offered while a name is typed, each with its English name; any other name is as good."""


@dataclass(frozen=True, slots=True)
class Towns:
    """What the city is divided into from ``first_day`` on. ``source`` is where the list can be checked.

    ``names`` are Chinese, each with its English name: what is kept and compared is the Chinese one.
    """

    first_day: date
    source_zh: str
    source_en: str
    names: Mapping[str, str]


LISTS = (
    Towns(
        date(2025, 11, 29),
        "晋江市行政区划：6 个街道、13 个镇",
        "the administrative divisions of Jinjiang: 6 subdistricts, 13 towns",
        {
            "青阳街道": "Qingyang Subdistrict", "梅岭街道": "Meiling Subdistrict", "西园街道": "Xiyuan Subdistrict",
            "罗山街道": "Luoshan Subdistrict", "新塘街道": "Xintang Subdistrict", "灵源街道": "Lingyuan Subdistrict",
            "陈埭镇": "Chendai", "池店镇": "Chidian", "安海镇": "Anhai", "磁灶镇": "Cizao", "内坑镇": "Neikeng",
            "紫帽镇": "Zimao", "东石镇": "Dongshi", "永和镇": "Yonghe", "英林镇": "Yinglin", "金井镇": "Jinjing",
            "龙湖镇": "Longhu", "深沪镇": "Shenhu", "西滨镇": "Xibin",
        },
    ),
)  # fmt: skip


def towns_on(day: date) -> Towns:
    """The list that holds on a day; before the first one, the first."""
    return next((one for one in reversed(LISTS) if one.first_day <= day), LISTS[0])


def place_in_english(name: str) -> str:
    """The English name of a town, street or park; as it is where none is known."""
    for some in (*(one.names for one in reversed(LISTS)), PARKS):
        if name in some:
            return some[name]
    return name
