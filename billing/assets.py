"""The register of what a platform bought: record, correct, and import a list as a whole or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from billing.models import Asset, Claim
from billing.rules.asset_sheet import HEADS, AssetRow, read_row
from billing.rules.claim import FROZEN
from billing.workbooks import open_workbook

MOST_ROWS = 5_000
HEADER_WITHIN = 10


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing that is wrong: the row as the spreadsheet counts it, the header of the cell, and the remedy."""

    row: int
    head: str
    error: InvalidInput


@dataclass(frozen=True, slots=True)
class Import:
    """What a list would do or did. With ``errors`` nothing is changed."""

    added: tuple[AssetRow, ...] = ()
    known: int = 0
    errors: tuple[RowError, ...] = ()


def import_assets(session: Session, platform_id: int, workbook: bytes, *, by: int, at: datetime) -> Import:
    """Add the assets of an Excel list that are not registered yet. Rows that say what is registered change nothing.

    Every row is read before anything is added; one error anywhere and nothing is. O(rows).
    Errors: ``InvalidInput`` for a file that is no list of assets.
    """
    rows, errors = _rows(workbook)
    if not rows and not errors:
        raise InvalidInput("表格里没有资产，请从表头下一行开始填写。", field="workbook")
    there = {one.no: facts_of_asset(one) for one in assets_of(session, platform_id)}
    first_rows: dict[str, int] = {}
    added = []
    for number, row in rows:
        if row.no in first_rows:
            sentence = "编号 %(no)s 在第 %(first)s 行已出现，请改其一。"
            errors.append(_about(number, "no", InvalidInput(sentence, field="no", no=row.no, first=first_rows[row.no])))
        elif row.no in there and there[row.no] != row:
            sentence = "编号 %(no)s 已登记，内容不同。请核对；确需更正请在登记册里更正并写明理由。"
            errors.append(_about(number, "no", InvalidInput(sentence, field="no", no=row.no)))
        elif row.no not in there:
            added.append(row)
        first_rows.setdefault(row.no, number)
    if errors:
        return Import(errors=tuple(sorted(errors, key=lambda one: one.row)))
    for row in added:
        _add(session, platform_id, row, by=by, at=at)
    session.flush()
    return Import(tuple(added), known=len(rows) - len(added))


def record_asset(session: Session, platform_id: int, row: AssetRow, *, by: int, at: datetime) -> Asset:
    """Errors: ``Conflict`` for a number that is registered."""
    if session.scalar(select(Asset.id).where(Asset.platform_id == platform_id, Asset.no == row.no)) is not None:
        raise Conflict("编号 %(no)s 已登记，请换一个编号。", field="no", no=row.no)
    asset = _add(session, platform_id, row, by=by, at=at)
    session.flush()
    return asset


def correct_asset(session: Session, asset_id: int, row: AssetRow, *, reason: str, by: int, at: datetime) -> Asset:
    """Put a registered asset right; what it said before stays in the audit log. Its number stays.

    Errors: ``NotFound``; ``InvalidInput`` without a reason; ``Conflict`` if nothing is changed, or for another kind or
    day once the claim of its year is locked.
    """
    asset = session.get(Asset, asset_id, with_for_update=True)
    if asset is None:
        raise NotFound("没有这项资产。")
    if not reason.strip():
        raise InvalidInput("请写明更正的理由。", field="reason")
    before = facts_of_asset(asset)
    if row == before:
        raise Conflict("内容没有变化。")
    if row.no != asset.no:
        raise InvalidInput("编号不能更改；登记错了请新登记一项。", field="no")
    if (row.kind, row.accepted_on, row.paid_on) != (before.kind, before.accepted_on, before.paid_on):
        _insist_on_open_years(session, asset.platform_id, {before.accepted_on.year, before.paid_on.year})
    for name, value in _columns(row).items():
        setattr(asset, name, value)
    was, now = _told(before), _told(row)
    changed = [name for name in HEADS if was[name] != now[name]]
    audit.record(
        session, at=at, by=by, deed="asset_corrected", subject="asset", subject_id=asset.id, reason=reason.strip(),
        before={name: was[name] for name in changed}, after={name: now[name] for name in changed},
    )  # fmt: skip
    session.flush()
    return asset


def _insist_on_open_years(session: Session, platform_id: int, years: Collection[int]) -> None:
    """What was judged in a locked year must not turn up in another one."""
    locked = session.scalar(
        select(func.min(Claim.year)).where(
            Claim.platform_id == platform_id, Claim.year.in_(years), Claim.state.in_(FROZEN)
        )
    )
    if locked is not None:
        raise Conflict("%(year)s 年的申报已锁定，类别和日期不能再改；如确有误，请在申报里作调整。", year=locked)


def assets_of(session: Session, platform_id: int) -> Sequence[Asset]:
    """By day of acceptance."""
    return session.scalars(
        select(Asset).where(Asset.platform_id == platform_id).order_by(Asset.accepted_on, Asset.id)
    ).all()


def _add(session: Session, platform_id: int, row: AssetRow, *, by: int, at: datetime) -> Asset:
    asset = Asset(platform_id=platform_id, recorded_by=by, recorded_at=at, **_columns(row))
    session.add(asset)
    return asset


def _columns(row: AssetRow) -> dict[str, Any]:
    values = asdict(row) | {"cost_fen": row.cost, "fiscal_fen": row.fiscal}
    return {name: value for name, value in values.items() if name not in ("cost", "fiscal")}


def facts_of_asset(asset: Asset) -> AssetRow:
    """What is registered, as a row says it."""
    return AssetRow(
        no=asset.no,
        name=asset.name,
        kind=asset.kind,
        accepted_on=asset.accepted_on,
        paid_on=asset.paid_on,
        cost=asset.cost_fen,
        cost_includes_tax=asset.cost_includes_tax,
        tax_rate=asset.tax_rate,
        input_tax_creditable=asset.input_tax_creditable,
        fiscal=asset.fiscal_fen,
        already_paid_under=asset.already_paid_under,
        document=asset.document,
    )


def _told(row: AssetRow) -> dict[str, str]:
    return {name: str(getattr(row, name)) for name in HEADS}


def _about(row: int, field: str, error: InvalidInput) -> RowError:
    return RowError(row, HEADS[field][0], error)


def _rows(workbook: bytes) -> tuple[list[tuple[int, AssetRow]], list[RowError]]:
    """Every filled row below the header, with its number, and what is wrong with the others."""
    sheet = open_workbook(workbook).worksheets[0]
    table = enumerate(sheet.iter_rows(values_only=True), start=1)
    columns = _columns_of(table)
    rows: list[tuple[int, AssetRow]] = []
    errors: list[RowError] = []
    for number, cells in table:
        given = {field: cells[at] if at < len(cells) else None for field, at in columns.items()}
        if all(value in (None, "") for value in given.values()):
            continue
        if len(rows) + len(errors) >= MOST_ROWS:
            raise InvalidInput("一次最多导入 %(most)s 项，请分成几个文件。", field="workbook", most=MOST_ROWS)
        row, wrong = read_row(given)
        errors += [_about(number, one.field or "no", one) for one in wrong]
        if row is not None:
            rows.append((number, row))
    return rows, errors


def _columns_of(table: Iterable[tuple[int, tuple[Any, ...]]]) -> dict[str, int]:
    """Where each field stands, by the first row that names all that a list needs."""
    wanted = {head: field for field, (head, _) in HEADS.items()}
    missing: list[str] = []
    for number, cells in table:
        found = {wanted[str(cell).strip()]: at for at, cell in enumerate(cells) if str(cell).strip() in wanted}
        lacking = [head for field, (head, required) in HEADS.items() if required and field not in found]
        if not lacking:
            return found
        if found and (not missing or len(lacking) < len(missing)):
            missing = lacking
        if number >= HEADER_WITHIN:
            break
    if missing:
        raise InvalidInput("表头缺少：%(heads)s。请下载空白表格填写。", field="workbook", heads="、".join(missing))
    raise InvalidInput("没有找到表头。请下载空白表格填写，不要改动表头。", field="workbook")
