"""A row of a purchase list as an asset, or what is wrong with it, cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from app.kernel.errors import InvalidInput
from app.kernel.money import ZERO, Money
from billing.rules.facts import AssetKind, EquipmentProgramme

MOST_YUAN = 10**10
DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
HEADS: dict[str, tuple[str, bool]] = {
    "no": ("资产编号", True),
    "name": ("名称", True),
    "kind": ("类别", True),
    "accepted_on": ("验收日期", True),
    "paid_on": ("付款日期", True),
    "cost": ("购置金额", True),
    "cost_includes_tax": ("金额是否含税", True),
    "tax_rate": ("税率", True),
    "input_tax_creditable": ("进项税可抵扣", True),
    "fiscal": ("其中财政资金", False),
    "already_paid_under": ("此前已享受补助", False),
    "document": ("凭证号", False),
}
"""Field: (header, whether a row must fill it)."""
KINDS: dict[str, AssetKind] = {"设备": "equipment", "软件": "software", "设施": "facility"}
YES_NO = {"是": True, "否": False}
PAID_UNDER: dict[str, EquipmentProgramme] = {"设备购置补助": "P1", "新增设备设施补助": "P4", "P1": "P1", "P4": "P4"}


@dataclass(frozen=True, slots=True)
class AssetRow:
    """What a row says. ``fiscal`` is on the same tax basis as ``cost``."""

    no: str
    name: str
    kind: AssetKind
    accepted_on: date
    paid_on: date
    cost: Money
    cost_includes_tax: bool
    tax_rate: Decimal
    input_tax_creditable: bool
    fiscal: Money = ZERO
    already_paid_under: EquipmentProgramme | None = None
    document: str = ""


def read_row(cells: Mapping[str, Any]) -> tuple[AssetRow | None, list[InvalidInput]]:
    """The asset of a row, or every error in it. ``cells`` are values as a spreadsheet holds them, by field."""
    values: dict[str, Any] = {}
    errors: list[InvalidInput] = []
    for field, (head, required) in HEADS.items():
        given = cells.get(field)
        given = given.strip() if isinstance(given, str) else given
        try:
            if given in (None, ""):
                if required:
                    raise InvalidInput("“%(head)s”是空的，请填写。", field=field, head=head)
                continue
            values[field] = READ[field](given, field, head)
        except InvalidInput as error:
            errors.append(error)
    if not errors:
        errors += _contradictions(values)
    return (None, errors) if errors else (AssetRow(**values), [])


def _contradictions(values: Mapping[str, Any]) -> list[InvalidInput]:
    if values.get("fiscal", ZERO) > values["cost"]:
        return [InvalidInput("“其中财政资金”不能超过“购置金额”，请核对。", field="fiscal")]
    return []


def _text(most: int) -> Callable[[Any, str, str], str]:
    def read(given: Any, field: str, head: str) -> str:
        # A spreadsheet makes numbers of codes such as 1001.
        text = str(int(given)) if isinstance(given, float) and given.is_integer() else str(given).strip()
        if len(text) > most or not text.isprintable():
            raise InvalidInput("“%(head)s”最多 %(most)s 字，不能有换行。", field=field, head=head, most=most)
        return text

    return read


def _choice(words: Mapping[str, Any]) -> Callable[[Any, str, str], Any]:
    def read(given: Any, field: str, head: str) -> Any:
        if isinstance(given, bool):
            given = "是" if given else "否"
        if str(given) not in words:
            raise InvalidInput(
                "“%(head)s”只能填：%(words)s。", field=field, head=head, words="、".join(dict.fromkeys(words))
            )
        return words[str(given)]

    return read


def _day(given: Any, field: str, head: str) -> date:
    if isinstance(given, datetime):
        return given.date()
    if isinstance(given, date):
        return given
    written = DAY.fullmatch(str(given))
    try:
        if written is not None:
            return date(*map(int, written.groups()))
    except ValueError:
        pass  # such as 30 February
    raise InvalidInput("“%(head)s”不是日期，请写成 2026-06-30。", field=field, head=head)


def _money(given: Any, field: str, head: str) -> Money:
    number = _number(given, field, head)
    exponent = number.normalize().as_tuple().exponent
    if not 0 <= number < MOST_YUAN or not isinstance(exponent, int) or exponent < -2:
        raise InvalidInput("“%(head)s”应是不小于零的金额（元），最多两位小数。", field=field, head=head)
    return Money.of(number)


def _rate(given: Any, field: str, head: str) -> Decimal:
    percent = isinstance(given, str) and given.endswith("%")
    number = _number(given.removesuffix("%") if isinstance(given, str) else given, field, head)
    rate = number / 100 if percent or number >= 1 else number
    exponent = rate.normalize().as_tuple().exponent
    if not 0 <= rate < 1 or not isinstance(exponent, int) or exponent < -4:
        raise InvalidInput("“%(head)s”应是百分数，例如 13%%。", field=field, head=head)
    return rate


def _number(given: Any, field: str, head: str) -> Decimal:
    text = repr(given) if isinstance(given, float) else str(given).replace(",", "").replace("，", "").strip("¥￥ ")
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(given, bool) or not number.is_finite():
        raise InvalidInput("“%(head)s”不是数字，请只写数字。", field=field, head=head)
    return number


READ: dict[str, Callable[[Any, str, str], Any]] = {
    "no": _text(40),
    "name": _text(200),
    "kind": _choice(KINDS),
    "accepted_on": _day,
    "paid_on": _day,
    "cost": _money,
    "cost_includes_tax": _choice(YES_NO),
    "tax_rate": _rate,
    "input_tax_creditable": _choice(YES_NO),
    "fiscal": _money,
    "already_paid_under": _choice(PAID_UNDER),
    "document": _text(200),
}
