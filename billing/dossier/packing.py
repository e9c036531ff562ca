"""What is made of all portions: the tables, and the archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from billing.dossier.archive import Archive
from billing.dossier.sources import ROOT, carried
from billing.dossier.tables import told, write_csv, write_xlsx
from billing.rules.dossier.sales import NAME as DOCUMENTS
from billing.rules.dossier.tables import tables_of

Json = dict[str, Any]
Plan = Sequence[tuple[str, str, str, int]]
"""Each portion: its kind, its number among these, the file that it writes or that says of what; about its seconds."""
CSV = ("documents", "lines", "charges", "sessions", "payments")
WORKBOOK = "tables.xlsx"


def write_table(name: str, parts: Path, plan: Plan) -> None:
    """One table of all lines and cases, or all of them as one workbook."""
    in_cases = [parts / f"cases-{one}.jsonl" for one in numbers_of(plan, "cases")]
    tables = tables_of(lambda: lines_of(parts, plan), lambda: told(*in_cases), lambda: told(parts / DOCUMENTS))
    if name == WORKBOOK:
        write_xlsx(tables, parts / WORKBOOK)
    for table in tables:
        if table.name == name:
            write_csv(table, parts / f"{name}.csv")


def pack(archive: Archive, parts: Path, plan: Plan) -> None:
    own = ROOT / "billing" / "dossier"
    archive.add_file("README.txt", own / "README.txt")
    archive.add_file("verify.py", own / "verify.py")
    for name in ("claim.pdf", "claim.json", "facts.json", "assessment.json", "policy.json", "seals.jsonl", DOCUMENTS):
        archive.add_file(name, parts / name)
    archive.add_file("lines.jsonl", *(parts / f"lines-{one}.jsonl" for one in numbers_of(plan, "lines")))
    for name in CSV:
        archive.add_file(f"tables/{name}.csv", parts / f"{name}.csv")
    archive.add_file(WORKBOOK, parts / WORKBOOK, packed=True)
    for name, content in carried().items():
        archive.add(f"sources/{name}", content)
    for number in numbers_of(plan, "cases"):
        archive.add_file(f"cases/{number}.jsonl", parts / f"cases-{number}.jsonl")
        archive.add_file(f"readings/{number}.gz", parts / f"readings-{number}.gz", packed=True)


def numbers_of(plan: Plan, kind: str) -> list[str]:
    return [number for one, number, *_ in plan if one == kind]


def lines_of(parts: Path, plan: Plan) -> Iterator[Json]:
    return told(*(parts / f"lines-{one}.jsonl" for one in numbers_of(plan, "lines")))
