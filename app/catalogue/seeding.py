"""The platforms of the policy's annexes, with sample equipment (示例).

The annex rows are facts, verbatim. Equipment, figures and operating entities are invented and marked.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.catalogue.models import ChargeUnit, Equipment, EquipmentKind, OpeningHours, Platform, PlatformOperator
from app.identity.models import Organization
from app.identity.registering import add_organization
from app.kernel.money import Money

DATA = Path(__file__).parent / "data"
OPERATING_SINCE = date(2025, 12, 1)
LINE_HOURS, DAY_HOURS = (0, 1440), (7 * 60, 22 * 60)

KINDS = {
    "中试线": EquipmentKind.LINE,
    "检测仪器": EquipmentKind.INSTRUMENT,
    "打样设备": EquipmentKind.INSTRUMENT,
    "试验台架": EquipmentKind.TEST_BENCH,
    "配套系统": EquipmentKind.SITE,
}
UNITS = {
    "machine_hour": ChargeUnit.HOUR,
    "batch": ChargeUnit.BATCH,
    "sample": ChargeUnit.SAMPLE,
    "kg": ChargeUnit.KILOGRAM,
    "metre": ChargeUnit.METRE,
    "square_metre": ChargeUnit.SQUARE_METRE,
}
ENGLISH = {
    "hx-textile": "High-end green functional textile fabrics pilot platform",
    "xy-leather": "Surface-microstructured functional leather pilot platform",
    "hx-graphene": "Graphene-modified new materials pilot platform",
    "pp-snack": "Snack food and beverage pilot platform",
    "fzu-micro": "Microelectronics public R&D and pilot platform",
    "qz-motor": "High-performance motor drives and power electronics pilot platform",
    "plu-food": "Food function verification public platform",
    "clfi-shoe": "Advanced green footwear manufacturing pilot base",
    "hq-ain": "Aluminium nitride ceramics pilot platform",
    "zgc-hard": "Zhongguancun pilot-scale maturation platform",
    "pp-beverage": "Beverage innovation pilot platform",
    "jy-foam": "EVA supercritical foaming pilot platform",
}
_USCC_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def read(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def load_catalogue(session: Session, *, at: datetime) -> int:
    """Add what is missing; returns how many pieces of equipment were added. All or nothing."""
    entries = read("platforms.json")["platforms"]
    added = 0
    for number, catalogue in enumerate(read("equipment.json")["catalogues"], start=1):
        code = catalogue["catalogue_key"]
        rows = [entry for entry in entries if entry["catalogue_key"] == code]
        platform = session.scalar(select(Platform).where(Platform.code == code)) or _platform(
            session, code, rows, number, at=at
        )
        known = set(session.scalars(select(Equipment.code).where(Equipment.platform_id == platform.id)))
        for one in catalogue["equipment"]:
            if one["code"] not in known:
                session.add(_equipment(platform, one, at=at))
                added += 1
    session.flush()
    return added


def _platform(session: Session, code: str, rows: list[dict[str, Any]], number: int, *, at: datetime) -> Platform:
    host = _organization(session, rows[0]["host"], at=at)
    operator = add_organization(
        session, name=f"示例运营公司（{code}）", uscc=sample_uscc(f"MA{number:06d}"), at=at, illustrative=True
    )
    platform = Platform(
        code=code,
        name_zh=rows[0]["name"],
        name_en=ENGLISH[code],
        field=rows[0]["field"],
        host_id=host.id,
        annex_entries=rows,
        operating_since=OPERATING_SINCE,
        illustrative=True,
    )
    session.add(platform)
    session.flush()
    session.add(
        PlatformOperator(platform_id=platform.id, organization_id=operator.id, days=Range(OPERATING_SINCE, None))
    )
    return platform


def _organization(session: Session, name: str, *, at: datetime) -> Organization:
    known = session.scalar(select(Organization).where(Organization.name == name))
    return known or add_organization(session, name=name, uscc=None, at=at)


def _equipment(platform: Platform, one: dict[str, Any], *, at: datetime) -> Equipment:
    kind = KINDS[one["kind"]]
    opens, closes = LINE_HOURS if kind is EquipmentKind.LINE else DAY_HOURS
    return Equipment(
        platform_id=platform.id,
        code=one["code"],
        name_zh=one["name_zh"],
        name_en=one["name_en"],
        kind=kind,
        kind_label=one["kind"],
        location=f"{platform.host.name}（晋江）",
        charge_unit=UNITS[one["charge_unit_en"]],
        rated_power_w=one["rated_power_w"],
        standby_power_w=one["standby_power_w"],
        original_value=Money.of(one["original_value_yuan"]),
        benchmark_hours=one["benchmark_hours_per_year"],
        modes=one["modes"],
        note=one["note"],
        illustrative=True,
        created_at=at,
        opening_hours=[OpeningHours(weekday=day, opens_minute=opens, closes_minute=closes) for day in range(7)],
    )


def sample_uscc(body: str) -> str:
    """A code for a sample organization, ``91350582`` + nine characters, with both check characters right."""
    serial = body[:8]
    values = [int(sign, 36) for sign in serial]
    rest = 11 - sum(value * weight for value, weight in zip(values, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    code = f"91350582{serial}{'X' if rest == 10 else 0 if rest == 11 else rest}"
    weighted = sum(_USCC_SIGNS.index(sign) * pow(3, place, 31) for place, sign in enumerate(code))
    return code + _USCC_SIGNS[(31 - weighted % 31) % 31]
