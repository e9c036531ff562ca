"""The tables of a dossier: their columns and rows, and their text as CSV, from what is told already."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
Rows = Callable[[], Iterable[Json]]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
PIECE = 1 << 16
NUMBERS = frozenset({"net", "tax", "gross", "amount", "quantity", "unit_price", "priced_gross"})


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name, its Chinese title, its columns by their keys, and its rows whenever they are asked for."""

    name: str
    title: str
    columns: dict[str, str]
    rows: Rows


LINE_COLUMNS = {
    "line": "行号 line", "no": "结算单 document", "position": "序 position", "issued_on": "开具日期 issued on",
    "kind": "种类 kind", "credits_no": "红冲 credits", "firm": "企业 firm", "firm_uscc": "统一社会信用代码 USCC",
    "origin": "来源 origin", "what": "项目 item", "equipment": "设备 equipment", "quantity": "数量 quantity",
    "unit": "单位 unit", "unit_price": "单价 unit price", "net": "不含税 net", "tax": "税额 tax",
    "gross": "价税合计 gross", "rate": "税率 tax rate", "category": "类别 category", "relation": "关系 relation",
    "served_on": "服务日期 served on", "case": "使用 case", "charge": "费用 charge",
}  # fmt: skip
DOCUMENT_COLUMNS = {
    "no": "结算单 document", "issued_on": "开具日期 issued on", "credit_note_of": "红冲 credits", "lines": "行数 lines",
    "amount": "价税合计 gross",
}  # fmt: skip
PAYMENT_COLUMNS = {"no": "结算单 document", "on": "到账日期 paid on", "amount": "金额 amount"}
CHARGE_COLUMNS = {
    "id": "费用 charge", "case": "使用 case", "kind": "项目 item", "net": "不含税 net", "tax": "税额 tax",
    "gross": "价税合计 gross", "rate": "税率 tax rate", "category": "类别 category", "relation": "关系 relation",
    "priced_gross": "规则计价（人工更正前） priced", "explanation_zh": "计算 explanation",
}  # fmt: skip
SESSION_COLUMNS = {
    "id": "使用记录 session", "case": "使用 case", "equipment": "设备 equipment", "meter": "表计 meter",
    "evidence": "依据 evidence", "start": "开始 start", "end": "结束 end", "running_s": "运行秒数 running s",
    "energy_mwh": "电量毫瓦时 energy mWh", "readings": "读数 readings", "profile_version": "参数版本 profile",
    "rule_version": "规则版本 rule", "digest": "读数摘要 digest", "not_again": "未重算原因 not derived again",
}  # fmt: skip


def tables_of(lines: Rows, cases: Rows, documents: Rows) -> list[Table]:
    """The tables over what is told, which is asked for anew for each."""

    def in_cases(key: str) -> Iterator[Json]:
        for case in cases():
            for one in case[key]:
                yield {"case": case["case"], "equipment": case["equipment"], **one}

    return [
        Table("documents", "结算单", DOCUMENT_COLUMNS, lambda: map(_document, documents())),
        Table("lines", "结算单行", LINE_COLUMNS, lines),
        Table("charges", "费用", CHARGE_COLUMNS, lambda: in_cases("charges")),
        Table("sessions", "使用记录", SESSION_COLUMNS, lambda: in_cases("sessions")),
        Table("payments", "收款", PAYMENT_COLUMNS, lambda: _payments(documents())),
    ]


def csv_of(table: Table) -> Iterator[bytes]:
    """UTF-8 with a byte order mark, without which Excel garbles Chinese. Text never starts a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.columns.values())
    yield b"\xef\xbb\xbf"
    for row in table.rows():
        writer.writerow([_text(key, row.get(key)) for key in table.columns])
        if out.tell() > PIECE:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def _payments(documents: Iterable[Json]) -> Iterator[Json]:
    return ({"no": one["no"], **paid} for one in documents for paid in one["paid"])


def _document(one: Json) -> Json:
    amount = sum((Decimal(line["amount"]) for line in one["lines"]), Decimal())
    return {**one, "lines": len(one["lines"]), "amount": str(amount)}


def _text(key: str, value: Any) -> str:
    if value is None:
        return ""
    said = str(value)
    return f"'{said}" if said.startswith(FORMULA) and key not in NUMBERS else said
