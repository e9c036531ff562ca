"""Indicators that no record shows: the operator hands in points with a paper, an official confirms or corrects them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from app.booking.rules.service import MOST_FILE_BYTES, HandedFile, file_name
from app.kernel.errors import Conflict, InvalidInput
from billing.evaluation_schemes import hold_evaluations
from billing.models import Evaluation, EvaluationEntry
from billing.policies.jinzhengban_2025_13_evaluation import BY_KEY
from billing.rules.evaluation import WHOLE, EvaluationWord, Scoring

# What a file begins with, by its type: its name may say anything.
BEGINNINGS = {"application/pdf": b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
ENDINGS = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg"}


def hand_in(
    session: Session,
    platform_id: int,
    year: int,
    indicator: str,
    *,
    value: Decimal,
    reason: str,
    file: HandedFile,
    by: int,
    at: datetime,
) -> EvaluationEntry:
    """What the platform gives itself, and the paper that shows it. It counts once an official confirms it.

    It takes the place of whatever was said before, an official's word too, and waits again.

    Errors: ``InvalidInput``; ``Conflict`` once the year is concluded.
    """
    media_type = _kind_of(file)
    entry = _entry(platform_id, year, indicator, EvaluationWord.HANDED_IN, value, reason, by=by, at=at)
    entry.file_name, entry.media_type = file_name(file.name, ending=ENDINGS[media_type]), media_type
    entry.content, entry.size_bytes = file.content, len(file.content)
    entry.digest = hashlib.sha256(file.content).hexdigest()
    _insist_on_open(session, platform_id, year)
    return _kept(session, entry)


def decide(
    session: Session,
    platform_id: int,
    year: int,
    indicator: str,
    *,
    entry_id: int | None,
    value: Decimal,
    reason: str,
    by: int,
    at: datetime,
) -> EvaluationEntry:
    """An official's word: the same value confirms what was handed in, another one corrects it with a reason.

    ``entry_id`` is the entry that the official has seen, none where there was none.

    Errors: ``InvalidInput``; ``Conflict`` once the year is concluded, if another entry has come since, on what oneself
    handed in, or if the official's word stays as it is.
    """
    _insist_on_open(session, platform_id, year)
    before = latest_entries(session, [platform_id], year).get((platform_id, indicator))
    if entry_id != (None if before is None else before.id):
        raise Conflict("这项指标已有新的提交或分值，请查看最新内容后再处理。")
    if before is not None and not counts(before) and before.entered_by == by:
        raise Conflict("不能确认或更正自己提交的分值，请由主管部门的其他人员处理。")
    kind = EvaluationWord.CORRECTED
    if before is not None and before.value == value:
        if counts(before):
            raise Conflict("内容没有变化。")
        kind, reason = EvaluationWord.CONFIRMED, reason.strip() or before.reason
    elif not reason.strip():
        raise InvalidInput("改变分值请写明理由。", field="reason")
    return _kept(session, _entry(platform_id, year, indicator, kind, value, reason, by=by, at=at))


def latest_entries(
    session: Session, platform_ids: Collection[int], year: int
) -> dict[tuple[int, str], EvaluationEntry]:
    """The word that holds, by platform and indicator. One query."""
    rows = session.scalars(
        select(EvaluationEntry)
        .where(EvaluationEntry.platform_id.in_(platform_ids), EvaluationEntry.year == year)
        .options(joinedload(EvaluationEntry.person))
        .order_by(EvaluationEntry.id)
    )
    return {(one.platform_id, one.indicator): one for one in rows}


def latest_files(session: Session, platform_id: int, year: int) -> dict[str, EvaluationEntry]:
    """The last paper that was handed in, by indicator. One query."""
    rows = session.scalars(
        select(EvaluationEntry)
        .where(
            EvaluationEntry.platform_id == platform_id,
            EvaluationEntry.year == year,
            EvaluationEntry.file_name.is_not(None),
        )
        .order_by(EvaluationEntry.id)
    )
    return {one.indicator: one for one in rows}


def counts(entry: EvaluationEntry) -> bool:
    """What an official said counts."""
    return entry.kind is not EvaluationWord.HANDED_IN


def _entry(
    platform_id: int,
    year: int,
    indicator: str,
    kind: EvaluationWord,
    value: Decimal,
    reason: str,
    *,
    by: int,
    at: datetime,
) -> EvaluationEntry:
    known = BY_KEY.get(indicator)
    if known is None or known.scoring is not Scoring.MANUAL:
        raise InvalidInput("这项指标由系统计算，不能填写。", field="indicator")
    if not value.is_finite() or not 0 <= value <= WHOLE or value * 100 != int(value * 100):
        raise InvalidInput("分值应为 0 至 100，最多两位小数。", field="value")
    if not reason.strip():
        raise InvalidInput("请写明理由。", field="reason")
    return EvaluationEntry(
        platform_id=platform_id, year=year, indicator=indicator, kind=kind, value=value, reason=reason.strip(),
        entered_by=by, entered_at=at,
    )  # fmt: skip


def _insist_on_open(session: Session, platform_id: int, year: int) -> None:
    """From here until the transaction ends nothing else is entered for the year, and it stays without a result."""
    hold_evaluations(session, year)
    concluded = exists().where(
        Evaluation.platform_id == platform_id, Evaluation.year == year, Evaluation.result.is_not(None)
    )
    if session.scalar(select(concluded)):
        raise Conflict("这一年的评价已有结果，不能再填写。")


def _kept(session: Session, entry: EvaluationEntry) -> EvaluationEntry:
    session.add(entry)
    session.flush()
    return entry


def _kind_of(file: HandedFile) -> str:
    """By what it begins with. Errors: ``InvalidInput``."""
    if not file.content or len(file.content) > MOST_FILE_BYTES:
        raise InvalidInput("文件“%(name)s”是空的，或超过 20 MB。", field="file", name=file.name)
    for media_type, beginning in BEGINNINGS.items():
        if file.content.startswith(beginning):
            return media_type
    raise InvalidInput("请上传 PDF、PNG 或 JPEG 文件。", field="file")
