"""What the indicators of a year weigh, and what gives full points: set by the department, with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session, joinedload

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput
from billing.models import Evaluation, EvaluationScheme
from billing.policies.jinzhengban_2025_13_evaluation import INDICATORS
from billing.rules.evaluation import Term, insist_on_terms

ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('evaluation'), CAST(:year AS int))")


@dataclass(frozen=True, slots=True)
class YearTerms:
    """The terms that hold for a year, and who set them: nobody, for an earlier year, or for this one."""

    terms: Mapping[str, Term]
    scheme: EvaluationScheme | None
    of_this_year: bool


def terms_of(session: Session, year: int) -> YearTerms:
    """Those of the year; until somebody sets them those of the latest year before, else where the software starts."""
    scheme = session.scalars(
        select(EvaluationScheme)
        .where(EvaluationScheme.year <= year)
        .order_by(EvaluationScheme.year.desc(), EvaluationScheme.id.desc())
        .options(joinedload(EvaluationScheme.person))
        .limit(1)
    ).first()
    told = {} if scheme is None else scheme.terms
    terms = {
        one.key: Term(Decimal(told[one.key]["weight"]), Decimal(told[one.key]["target"]))
        if one.key in told
        else Term(Decimal() if told else one.weight, one.target)
        for one in INDICATORS
    }
    return YearTerms(terms, scheme, scheme is not None and scheme.year == year)


def hold_evaluations(session: Session, year: int) -> None:
    """Until the transaction ends nobody else sets the year's weights, enters points or records a result."""
    session.execute(ONE_AT_A_TIME, {"year": year})


def set_terms(
    session: Session, year: int, terms: Mapping[str, Term], *, source: str, reason: str, by: int, at: datetime
) -> EvaluationScheme:
    """From now on the year is weighed so.

    Errors: ``InvalidInput`` for weights that are no hundred, targets out of reach, no source or no reason;
    ``Conflict`` once a result of the year is concluded.
    """
    insist_on_terms(INDICATORS, terms)
    if not source.strip():
        raise InvalidInput("请写明依据，例如通知的文号。", field="source")
    if not reason.strip():
        raise InvalidInput("请写明理由。", field="reason")
    hold_evaluations(session, year)
    if has_results(session, year):
        raise Conflict("%(year)s 年已有评价结果，权重不能再改变。请为以后的年度设定。", year=year)
    scheme = EvaluationScheme(
        year=year,
        terms={key: {"weight": str(term.weight), "target": str(term.target)} for key, term in terms.items()},
        source=source.strip()[:300],
        reason=reason.strip(),
        set_by=by,
        set_at=at,
    )
    session.add(scheme)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="evaluation_weights_set", subject="evaluation_scheme", subject_id=scheme.id,
        year=year, source=scheme.source,
    )  # fmt: skip
    return scheme


def has_results(session: Session, year: int) -> bool:
    """Whether any platform's evaluation of the year is concluded."""
    concluded = exists().where(Evaluation.year == year, Evaluation.result.is_not(None))
    return bool(session.scalar(select(concluded)))
