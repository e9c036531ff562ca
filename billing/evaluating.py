"""The yearly evaluation (管理评价): what it comes to now, its conclusion by an official, and corrections after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.catalogue.models import Platform
from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound
from billing.evaluation_entries import counts, latest_entries
from billing.evaluation_schemes import hold_evaluations, terms_of
from billing.models import Claim, ClaimRecord, Evaluation, EvaluationCorrection
from billing.platform_figures import PlatformFigures, figures_of
from billing.policies.jinzhengban_2025_13_evaluation import GRADES, INDICATORS
from billing.rules.evaluation import Head, Result, evaluate, ranks
from billing.rules.evaluation_told import result_of, result_told
from billing.rules.income import IncomeHead


@dataclass(frozen=True, slots=True)
class YearResult:
    """One platform's year: as it was concluded, else as it stands now.

    ``told`` are the figures behind it as text and seconds; ``waiting`` indicators wait for an official's word.
    """

    platform_id: int
    year: int
    result: Result
    told: Mapping[str, Any]
    evaluation: Evaluation | None
    waiting: frozenset[str]

    @property
    def concluded(self) -> bool:
        return self.evaluation is not None and self.evaluation.result is not None


def results_of(session: Session, platform_ids: Collection[int], year: int) -> dict[int, YearResult]:
    """What a year comes to for each platform. Stores nothing.

    A constant number of queries; those of the figures only while a result is not concluded.
    """
    kept = {
        one.platform_id: one
        for one in session.scalars(
            select(Evaluation).where(Evaluation.platform_id.in_(platform_ids), Evaluation.year == year)
        )
    }
    found: dict[int, YearResult] = {}
    for platform_id, one in kept.items():
        if one.result is not None:
            found[platform_id] = YearResult(
                platform_id, year, result_of(one.result), one.result["figures"], one, frozenset()
            )
    found |= _standing(session, [one for one in platform_ids if one not in found], year, kept)
    return {one: found[one] for one in platform_ids}


def _standing(
    session: Session, platform_ids: Collection[int], year: int, kept: Mapping[int, Evaluation]
) -> dict[int, YearResult]:
    """As the records have the year now, whatever was concluded."""
    if not platform_ids:
        return {}
    terms = terms_of(session, year).terms
    figures = figures_of(session, platform_ids, year)
    entries = latest_entries(session, platform_ids, year)
    found = {}
    for platform_id in platform_ids:
        own = {key: entry for (number, key), entry in entries.items() if number == platform_id}
        values = values_of(figures[platform_id])
        values |= {key: Fraction(entry.value) for key, entry in own.items() if counts(entry)}
        found[platform_id] = YearResult(
            platform_id,
            year,
            evaluate(INDICATORS, terms, values, GRADES, on=date(year, 12, 31)),
            figures_told(figures[platform_id]),
            kept.get(platform_id),
            frozenset(key for key, entry in own.items() if not counts(entry)),
        )
    return found


def conclude(
    session: Session,
    platform_id: int,
    year: int,
    *,
    selected: bool,
    document: str,
    by: int,
    at: datetime,
    seen: str | None = None,
) -> Evaluation:
    """Keep what the year came to, with the official's selection and the number of the document.

    ``seen`` is the total that the official decided on, as :func:`total_said` says it.

    Errors: ``InvalidInput`` without a document or for a year to come; ``Conflict`` if it is concluded, before the
    weights of the year are set, while a manual indicator waits for an official, once a claim is locked, or where the
    total is not the one that was seen.
    """
    _insist(session, platform_id, year, document)
    if year > local_date(at).year:
        raise InvalidInput("这一年还没有开始，不能记录评价结果。", field="year")
    if not terms_of(session, year).of_this_year:
        raise Conflict("请先设定 %(year)s 年的指标权重。", year=year)
    now = results_of(session, [platform_id], year)[platform_id]
    if now.concluded:
        raise Conflict("这一年的评价已有结果，只能更正。")
    if now.waiting:
        raise Conflict("还有 %(count)s 项人工指标等待确认，请先确认或更正。", count=len(now.waiting))
    if seen is not None and seen != total_said(now.result):
        raise Conflict("数据刚有更新：现为 %(total)s 分。请核对后再记录。", total=total_said(now.result))
    row = now.evaluation
    if row is None:
        illustrative = session.get_one(Platform, platform_id).illustrative
        row = Evaluation(platform_id=platform_id, year=year, illustrative=illustrative)
        session.add(row)
    row.evaluated, row.selected, row.document = True, selected, document.strip()[:300]
    _freeze(session, row, now)
    row.concluded_by, row.concluded_at = by, at
    session.flush()
    audit.record(
        session, at=at, by=by, deed="evaluation_concluded", subject="evaluation", subject_id=row.id,
        total=str(row.score), selected=selected, document=row.document,
    )  # fmt: skip
    return row


def total_said(result: Result) -> str:
    """Points, to the hundredth."""
    return f"{result.total:.2f}"


def correct(
    session: Session,
    platform_id: int,
    year: int,
    *,
    selected: bool,
    document: str,
    recount: bool,
    reason: str,
    by: int,
    at: datetime,
) -> Evaluation:
    """Put a concluded evaluation right; what it said before stays beside it. ``recount`` takes today's figures.

    Errors: ``NotFound`` before it is concluded; ``InvalidInput`` without a reason or a document; ``Conflict`` if
    nothing changes, or once a claim of the year is locked.
    """
    _insist(session, platform_id, year, document)
    row = session.scalar(select(Evaluation).where(Evaluation.platform_id == platform_id, Evaluation.year == year))
    if row is None or row.result is None:
        raise NotFound("这一年还没有评价结果。")
    if not reason.strip():
        raise InvalidInput("请写明更正的理由。", field="reason")
    before = _said(row)
    row.selected, row.document = selected, document.strip()[:300]
    if recount:
        _freeze(session, row, _standing(session, [platform_id], year, {})[platform_id])
    after = _said(row)
    if after == before:
        raise Conflict("内容没有变化。")
    row.corrections.append(
        EvaluationCorrection(before=before, after=after, reason=reason.strip(), corrected_by=by, corrected_at=at)
    )
    session.flush()
    return row


def ranking(results: Collection[YearResult]) -> dict[int, int]:
    """The place of each platform: by total, then by 服务水平."""
    return ranks({
        one.platform_id: (one.result.total, one.result.heads[Head.SERVICE] or one.result.total * 0) for one in results
    })  # fmt: skip


def concluded_years(session: Session, platform_id: int) -> Sequence[tuple[int, Result]]:
    """Every concluded year of a platform, the first one first."""
    rows = session.scalars(
        select(Evaluation)
        .where(Evaluation.platform_id == platform_id, Evaluation.result.is_not(None))
        .order_by(Evaluation.year)
    )
    return [(one.year, result_of(one.result)) for one in rows if one.result is not None]


def values_of(figures: PlatformFigures) -> dict[str, Fraction | None]:
    """What the records say on each indicator; nothing where they say nothing."""
    heads = figures.heads
    conversion = heads[IncomeHead.CONVERSION] + heads[IncomeHead.INCUBATION]
    return {
        "utilization": figures.utilization,
        "equipment_value": Fraction(figures.holdings.value.yuan),
        "sharing_rate": figures.sharing_rate,
        "firms": Fraction(figures.firms),
        "orders": Fraction(figures.orders),
        "satisfaction": figures.satisfaction.mean,
        "documents": figures.documents_share,
        "metered": figures.metered_share,
        "incidents": Fraction(figures.incidents.points),
        "service_income": Fraction(heads[IncomeHead.TECHNICAL_SERVICE].yuan),
        "conversion_income": Fraction(conversion.yuan),
        "local_share": figures.local_share,
    }


def figures_told(figures: PlatformFigures) -> dict[str, Any]:
    """The figures as JSON. Units: hours in seconds, money in fen."""
    hours = {
        "running": figures.running, "effective": figures.effective, "service": figures.service,
        "external": figures.external, "billable": figures.billable, "benchmark": figures.holdings.benchmark,
    }  # fmt: skip
    return {
        "hours_s": {name: round(length.total_seconds()) for name, length in hours.items()},
        "equipment": figures.holdings.count,
        "equipment_value_fen": figures.holdings.value.fen,
        "runs": figures.use.runs,
        "metered": figures.use.metered,
        "firms": figures.firms,
        "local_firms": figures.local_firms,
        "orders": figures.orders,
        "revenue_fen": {category.value: amount.fen for category, amount in sorted(figures.revenue.items())},
        "heads_fen": {head.value: amount.fen for head, amount in figures.heads.items()},
        "net_fen": figures.net.fen,
        "local_fen": figures.local_revenue.fen,
        "documents": {"held": figures.documents.held, "valid": figures.documents.valid},
        "satisfaction": {"count": figures.satisfaction.count, "stars": figures.satisfaction.stars},
        "incidents": {
            "count": figures.incidents.count, "points": figures.incidents.points, "open": figures.incidents.still_open,
        },
    }  # fmt: skip


def claim_is_locked(session: Session, platform_id: int, year: int) -> bool:
    """Whether a claim rests on the evaluation of that year for good."""
    locked = (
        exists()
        .where(ClaimRecord.claim_id == Claim.id, Claim.platform_id == platform_id, Claim.year == year)
    )  # fmt: skip
    return bool(session.scalar(select(locked)))


def _insist(session: Session, platform_id: int, year: int, document: str) -> None:
    if not document.strip():
        raise InvalidInput("请填写评价文件的文号。", field="document")
    hold_evaluations(session, year)
    if claim_is_locked(session, platform_id, year):
        raise Conflict("%(year)s 年的补助申报已锁定，评价结果不能再改变。如确有必要，请在申报里作调整记录。", year=year)


def _freeze(session: Session, row: Evaluation, now: YearResult) -> None:
    scheme = terms_of(session, now.year).scheme
    row.score, row.grade = now.result.total, now.result.grade
    row.result = {
        **result_told(now.result),
        "figures": dict(now.told),
        "scheme": None if scheme is None else {"id": scheme.id, "year": scheme.year, "source": scheme.source},
    }


def _said(row: Evaluation) -> dict[str, Any]:
    return {
        "selected": row.selected, "document": row.document, "score": str(row.score),
        "grade": None if row.grade is None else row.grade.value, "result": row.result,
    }  # fmt: skip
