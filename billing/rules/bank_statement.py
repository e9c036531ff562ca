"""A bank's statement file (CSV) as sums that came in.

Banks differ in encoding, separator and headings; what they agree on is that some row names the columns.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from app.kernel.errors import InvalidInput
from app.kernel.money import ZERO, Money

HEADINGS: dict[str, tuple[str, ...]] = {
    "date": ("交易日期", "记账日期", "入账日期", "交易时间", "记账时间", "入账时间", "日期"),
    "income": ("收入金额", "贷方发生额", "贷方金额", "收入", "贷方", "转入金额"),
    "outgo": ("支出金额", "借方发生额", "借方金额", "支出", "借方", "转出金额"),
    "amount": ("金额", "交易金额", "发生额"),
    "direction": ("借贷标志", "借贷方向", "收支方向", "收支标志", "借贷"),
    "name": ("对方户名", "对方名称", "对方单位名称", "对方单位", "对方账户名称", "付款人名称", "付款方户名"),
    "account": ("对方账号", "对方账户", "付款人账号", "付款方账号"),
    "reference": ("交易流水号", "流水号", "业务流水号", "银行流水号", "交易序号"),
}
REMARKS = ("摘要", "附言", "用途", "备注", "交易摘要", "交易附言", "客户附言")
INCOMING = ("贷", "收", "收入", "转入", "贷方", "C", "CR")
SUMMARY = ("合计", "总计", "小计", "本页", "期初", "期末", "总收入", "总支出", "总笔数")
SEARCHED_ROWS, MOST_ROWS = 40, 30_000
_KEY = {word: key for key, words in HEADINGS.items() for word in words}


@dataclass(frozen=True, slots=True)
class BankSum:
    """One sum that came in. ``key`` is the same whenever the same line is read again; ``row`` counts from one."""

    row: int
    booked_on: date
    amount: Money
    payer_name: str
    payer_account: str
    remark: str
    reference: str
    key: str


@dataclass(frozen=True, slots=True)
class StatementFile:
    """What a file says: sums that came in, in its order, and how many lines went out."""

    sums: tuple[BankSum, ...]
    outgoing: int


def read_statement(content: bytes) -> StatementFile:
    """Read a file in UTF-8 (with or without mark), UTF-16 or GBK, separated by comma, semicolon or tab.

    Errors: ``InvalidInput`` that names row and column and how to mend it.
    """
    rows = _rows(_decoded(content))
    if len(rows) > MOST_ROWS:
        raise InvalidInput(
            "文件有 %(rows)s 行，一次最多 %(most)s 行。请按较短的时间段导出，分次上传。",
            field="file",
            rows=len(rows),
            most=MOST_ROWS,
        )
    top, columns = _heading(rows)
    sums: list[BankSum] = []
    seen: Counter[tuple[str, ...]] = Counter()
    outgoing = 0
    for number, row in enumerate(rows[top + 1 :], start=top + 2):
        if not any(row) or row[0].startswith(SUMMARY) or len([cell for cell in row if cell]) < 2:
            continue
        said = _Row(number, row, columns, rows[top])
        amount = said.amount()
        if amount is None:
            outgoing += 1
            continue
        booked_on, remark = said.day(), said.remark()
        name, account, reference = said.text("name"), said.text("account"), said.text("reference")
        same = _same(reference, booked_on.isoformat(), str(amount), name, account, remark)
        seen[same] += 1
        key = _key(same, seen[same])
        sums.append(BankSum(number, booked_on, amount, name[:300], account[:80], remark[:300], reference[:80], key))
    if not sums and not outgoing:
        raise InvalidInput("文件里没有交易明细。请从网上银行重新导出包含明细的 CSV 文件。", field="file")
    return StatementFile(tuple(sums), outgoing)


def _same(reference: str, booked_on: str, amount: str, name: str, account: str, remark: str) -> tuple[str, ...]:
    """What makes a line the same in another file: the bank's number with day, sum and payer, else all that it says.

    Some banks number a whole batch alike.
    """
    if reference:
        return (reference[:80], booked_on, amount, (account or name)[:80])
    return ("", booked_on, amount, name, account, remark)


def _key(same: Sequence[str], count: int) -> str:
    """A name for a line; equal lines of one file are counted."""
    if same[0]:
        return "|".join(same) + (f"|{count}" if count > 1 else "")
    return hashlib.sha256("\x1f".join((*same, str(count))).encode()).hexdigest()


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InvalidInput("文件的编码无法识别。请另存为“CSV UTF-8”后再上传。", field="file")


def _rows(text: str) -> list[list[str]]:
    """All rows, split by whichever separator finds a heading."""
    for separator in (",", "\t", ";"):
        try:
            rows = [
                [_clean(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            ]
        except csv.Error:
            continue
        if any(_recognised(row) for row in rows[:SEARCHED_ROWS]):
            return rows
    raise InvalidInput(
        "没有找到表头：前 40 行里应有一行同时写着日期（如“交易日期”）和金额（如“收入金额”“贷方发生额”）。"
        "请补上表头，或从网上银行重新导出 CSV。",
        field="file",
    )


def _clean(cell: str) -> str:
    """Without the tricks that keep a spreadsheet from changing long numbers."""
    cell = cell.replace("\x00", "").strip().strip("\t").strip()
    if cell.startswith('="') and cell.endswith('"'):
        cell = cell[2:-1]
    return cell.lstrip("'`").strip()


def _plain(heading: str) -> str:
    return re.sub(r"[（(\[].*?[)）\]]|\s|[:：*]", "", heading)


def _recognised(row: Sequence[str]) -> bool:
    keys = {_KEY.get(_plain(cell)) for cell in row}
    return "date" in keys and bool(keys & {"income", "amount"})


def _heading(rows: Sequence[Sequence[str]]) -> tuple[int, dict[str, int]]:
    top = next(number for number, row in enumerate(rows) if _recognised(row))
    columns: dict[str, int] = {}
    places = [(_KEY.get(_plain(cell)), place, _plain(cell)) for place, cell in enumerate(rows[top])]
    known = [(key, place, word) for key, place, word in places if key is not None]
    for key, place, _ in sorted(known, key=lambda one: HEADINGS[one[0]].index(one[2])):  # the best word of each first
        columns.setdefault(key, place)
    return top, columns


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Sequence[str]
    columns: Mapping[str, int]
    headings: Sequence[str]

    def text(self, key: str) -> str:
        place = self.columns.get(key)
        return self.cells[place] if place is not None and place < len(self.cells) else ""

    def remark(self) -> str:
        said = [cell for cell, heading in zip(self.cells, self.headings, strict=False) if _plain(heading) in REMARKS]
        return " ".join(dict.fromkeys(cell for cell in said if cell))

    def day(self) -> date:
        found = re.match(r"(\d{4})\D?(\d{1,2})\D?(\d{1,2})", self.text("date"))
        try:
            if found is None:
                raise ValueError
            return date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            raise InvalidInput(
                "第 %(row)s 行“%(column)s”一栏的“%(text)s”不是日期，文件没有导入。"
                "请改成 2026-11-30 这样的写法，或删去这一行，再重新上传。",
                field="file",
                **self._where("date"),
            ) from None

    def amount(self) -> Money | None:
        """What came in, or ``None`` for a line that went out."""
        if "income" in self.columns:
            came = self._money("income")
            if came is not None and came > ZERO:
                return came
            if came is None and self._money("outgo") is None:
                raise self._nothing("income")
            return None
        amount = self._money("amount")
        if amount is None:
            raise self._nothing("amount")
        if "direction" in self.columns and self.text("direction").upper() not in INCOMING:
            return None
        return amount if amount > ZERO else None

    def _money(self, key: str) -> Money | None:
        text = re.sub(r"[,，\s¥￥+]", "", self.text(key))
        if text in ("", "-", "--"):
            return None
        try:
            return Money.of(Decimal(text))
        except (InvalidOperation, ValueError):
            raise InvalidInput(
                "第 %(row)s 行“%(column)s”一栏的“%(text)s”不是金额，文件没有导入。"
                "请改成最多两位小数的数字，或删去这一行，再重新上传。",
                field="file",
                **self._where(key),
            ) from None

    def _nothing(self, key: str) -> InvalidInput:
        return InvalidInput(
            "第 %(row)s 行“%(column)s”一栏没有金额，文件没有导入。请补上金额，或删去这一行，再重新上传。",
            field="file",
            **self._where(key),
        )

    def _where(self, key: str) -> dict[str, str | int]:
        """Where the refusal points."""
        return {"row": self.number, "column": self.headings[self.columns[key]], "text": self.text(key)[:40]}
