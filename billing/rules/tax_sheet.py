"""What the tax bureau's batch-import workbook (数电票 批量开票) asks for, found by the names of its columns.

Its versions differ, so nothing here counts columns. A header may carry ``*``, spaces, line breaks and hints in
brackets. Every cell is text.

Source: the template 批量导入 of the electronic tax bureau, sheets 1 and 2, with its lengths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.kernel.errors import InvalidInput
from app.kernel.money import Money
from billing.rules.figures import plain
from billing.rules.tax import Taxed
from billing.rules.tax_invoice import KIND_WORDS, TaxInvoiceKind


class Head(StrEnum):
    """Columns of sheet 1, one row an invoice."""

    SERIAL = "发票流水号"
    KIND = "发票类型"
    INCLUDES_TAX = "是否含税"
    BUYER = "购买方名称"
    USCC = "购买方纳税人识别号"
    ADDRESS = "购买方地址"
    PHONE = "购买方电话"
    BANK = "购买方开户银行"
    ACCOUNT = "购买方银行账号"
    REMARK = "备注"
    EMAIL = "购买方邮箱"


class Item(StrEnum):
    """Columns of sheet 2, one row a line."""

    SERIAL = "发票流水号"
    NAME = "项目名称"
    CODE = "商品和服务税收编码"
    UNIT = "单位"
    QUANTITY = "数量"
    PRICE = "单价"
    AMOUNT = "金额"
    RATE = "税率"


SHEETS: tuple[tuple[str, type[StrEnum]], ...] = (("发票基本信息", Head), ("发票明细信息", Item))
REQUIRED = frozenset(
    {Head.SERIAL, Head.KIND, Head.INCLUDES_TAX, Head.BUYER, Head.USCC, Item.NAME, Item.CODE, Item.AMOUNT, Item.RATE}
)
ALIASES = {
    "商品和服务税收分类编码": "商品和服务税收编码", "流水号": "发票流水号", "税率/征收率": "税率", "邮箱": "购买方邮箱",
    "地址": "购买方地址", "电话": "购买方电话", "开户银行": "购买方开户银行", "银行账号": "购买方银行账号",
}  # fmt: skip
SERIAL_LENGTH, NAME_LENGTH, BUYER_LENGTH, REMARK_LENGTH = 20, 100, 100, 230
CAREFUL_LINES, MOST_LINES = 2000, 5000
_BRACKETS = re.compile(r"[（(【\[][^）)】\]]*[）)】\]]")
_NOISE = re.compile(r"[\s*＊:：\u200b\ufeff]+")


def header(cell: object) -> str:
    """A header cell as the plain name of its column."""
    name = _NOISE.sub("", _BRACKETS.sub("", str(cell or "")))
    return ALIASES.get(name, name)


@dataclass(frozen=True, slots=True)
class Found:
    """Where a sheet has its header row and the columns that we know. Counted from one."""

    row: int
    columns: Mapping[StrEnum, int]


def find_header(rows: Sequence[Sequence[object]], columns: type[StrEnum], *, sheet: str) -> Found:
    """The row of ``rows`` that names most of the ``columns``.

    Errors: ``InvalidInput`` that names the sheet and the column that it lacks.
    """
    named = [_named(row, columns) for row in rows]
    best = max(range(len(named)), key=lambda number: len(named[number]), default=None)
    found = {} if best is None else named[best]
    for column in columns:
        if column in REQUIRED and column not in found:
            raise InvalidInput(
                "工作表「%(sheet)s」没有找到列「%(column)s」。请从电子税务局重新下载批量开票模板，不要改动表头。",
                field="workbook",
                sheet=sheet,
                column=column.value,
            )
    return Found((best or 0) + 1, found)


def _named(row: Sequence[object], columns: type[StrEnum]) -> dict[StrEnum, int]:
    """The first column of each name; one without a hint in brackets goes before one with."""
    found: dict[StrEnum, int] = {}
    hinted: set[StrEnum] = set()
    for place, cell in enumerate(row, start=1):
        try:
            column = columns(header(cell))
        except ValueError:
            continue
        has_hint = bool(_BRACKETS.search(str(cell)))
        if column not in found or (column in hinted and not has_hint):
            found[column] = place
            hinted.discard(column)
            if has_hint:
                hinted.add(column)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    name: str
    uscc: str = ""
    address: str = ""
    phone: str = ""
    bank: str = ""
    account: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxLine:
    """One line; ``price`` as the tariff has it, with or without tax."""

    name: str
    code: str
    rate: Decimal
    amount: Taxed
    quantity: Decimal | None = None
    unit: str = ""
    price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSheet:
    """One invoice to be. ``label`` is what the refusals call it."""

    serial: str
    label: str
    kind: TaxInvoiceKind
    includes_tax: bool
    buyer: Buyer
    remark: str
    lines: tuple[TaxLine, ...]


def serial_of(label: str, *, number: int, part: int = 0) -> str:
    """The serial number that joins the sheets, and ours: the label where 20 characters hold it, else a short one.

    ``number`` is the invoice's id, ``part`` counts its payers from one (zero where there is one alone).
    """
    tail = f"/{part}" if part else ""
    whole = label + tail
    return whole if len(whole) <= SERIAL_LENGTH else f"PS{number:010d}{tail}"


def head_row(sheet: TaxSheet) -> dict[StrEnum, str]:
    """The row of sheet 1. Errors: ``InvalidInput`` where the tax bureau would refuse it."""
    buyer = sheet.buyer
    if len(buyer.name) > BUYER_LENGTH:
        raise InvalidInput(
            "%(label)s：购买方名称超过 %(most)s 个字，税务系统不收。请先更正企业名称。",
            label=sheet.label,
            most=BUYER_LENGTH,
        )
    if sheet.kind is TaxInvoiceKind.SPECIAL and not buyer.uscc:
        raise InvalidInput(
            "%(label)s：专用发票要有购买方税号，%(buyer)s 还没有登记。请先登记统一社会信用代码，或改开普通发票。",
            label=sheet.label,
            buyer=buyer.name,
        )
    if len(sheet.remark) > REMARK_LENGTH:
        raise InvalidInput(
            "%(label)s：备注超过 %(most)s 个字，请缩短开票设置中的备注。", label=sheet.label, most=REMARK_LENGTH
        )
    return {
        Head.SERIAL: sheet.serial,
        Head.KIND: KIND_WORDS[sheet.kind],
        Head.INCLUDES_TAX: "是" if sheet.includes_tax else "否",
        Head.BUYER: buyer.name,
        Head.USCC: buyer.uscc,
        Head.ADDRESS: buyer.address,
        Head.PHONE: buyer.phone,
        Head.BANK: buyer.bank,
        Head.ACCOUNT: buyer.account,
        Head.REMARK: sheet.remark,
        Head.EMAIL: buyer.email,
    }


def item_row(sheet: TaxSheet, line: TaxLine) -> dict[StrEnum, str]:
    """A row of sheet 2. Quantity and price only where they make the amount. Errors: ``InvalidInput``."""
    amount = line.amount.gross if sheet.includes_tax else line.amount.net
    _insist(sheet, line, amount)
    row: dict[StrEnum, str] = {
        Item.SERIAL: sheet.serial,
        Item.NAME: line.name[:NAME_LENGTH],
        Item.CODE: line.code,
        Item.AMOUNT: f"{amount.yuan:.2f}",
        Item.RATE: plain(line.rate) if line.rate else "0",
    }
    if line.quantity and line.price is not None and Money.rounded(line.quantity * line.price) == amount:
        row |= {Item.UNIT: line.unit, Item.QUANTITY: plain(line.quantity), Item.PRICE: plain(line.price)}
    return row


def _insist(sheet: TaxSheet, line: TaxLine, amount: Money) -> None:
    if amount <= Money(0):
        raise InvalidInput(
            "%(label)s：「%(name)s」不是正数，批量导入不收。这张发票请在税务系统中手工开具。",
            label=sheet.label,
            name=line.name,
        )
    if not re.fullmatch(r"[0-9]{19}", line.code):
        raise InvalidInput(
            "%(label)s：「%(name)s」的税收编码不是 19 位数字。这张发票请在税务系统中手工开具，并改正价格版本的编码。",
            label=sheet.label,
            name=line.name,
        )
    if not line.rate and sheet.kind is TaxInvoiceKind.SPECIAL:
        raise InvalidInput(
            "%(label)s：「%(name)s」免税，不能开专用发票。请改开普通发票。", label=sheet.label, name=line.name
        )
