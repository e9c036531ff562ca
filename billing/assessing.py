"""What the policy grants a platform, from the facts in the database, by the same function as the simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from itertools import accumulate
from typing import Any, get_args

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload, selectinload

from app.catalogue.models import Platform, RecognitionLevel
from app.kernel.money import ZERO
from billing.answering import POLICY, settings_in_force
from billing.assets import assets_of
from billing.models import Assessment, Asset, Claim, ClaimItem, Evaluation, OtherGrant
from billing.revenue_facts import documents, summed_documents
from billing.rules import facts as told
from billing.rules.policy import Settings
from billing.rules.subsidy import Assessment as Judgement
from billing.rules.subsidy import assess

PROGRAMMES: tuple[told.Programme, ...] = get_args(told.Programme)
LEVELS: dict[RecognitionLevel, told.RecognitionLevel] = {
    RecognitionLevel.PROVINCIAL: "provincial",
    RecognitionLevel.NATIONAL: "national",
    RecognitionLevel.NATIONAL_INNOVATION_CENTRE: "national_innovation_centre",
}


def judge_platform(session: Session, platform_id: int) -> tuple[told.Facts, Judgement]:
    """The platform's facts as recorded now and what follows from them. Stores nothing. O(issued lines), in SQL."""
    settings = settings_in_force(session)
    facts = judging_facts(session, platform_id, settings)
    return facts, assess(facts, settings, POLICY)


def assess_platform(session: Session, platform_id: int, *, at: datetime) -> bool:
    """Keep the judgement if the facts are new. Returns whether they were."""
    facts, judgement = judge_platform(session, platform_id)
    digest = hashlib.sha256(repr((POLICY.number, judgement.settings.values, facts)).encode()).hexdigest()
    stored = session.execute(
        insert(Assessment)
        .values(
            platform_id=platform_id,
            policy=POLICY.number,
            settings=dict(judgement.settings.values),
            facts_digest=digest,
            result=result_told(judgement),
            assessed_at=at,
        )
        .on_conflict_do_nothing()
        .returning(Assessment.id)
    )
    return stored.first() is not None


def judging_facts(session: Session, platform_id: int, settings: Settings) -> told.Facts:
    """What these readings are judged from: lines that are judged alike added up, where the readings allow it."""
    if by_cash(settings):
        return facts_of(session, platform_id)
    return _facts(session, platform_id, summed_documents(session, platform_id))


def by_cash(settings: Settings) -> bool:
    """Whether each payment is looked at (A02), so that lines cannot be added up."""
    return settings.text("A02_revenue_basis") == "cash_date"


def facts_of(session: Session, platform_id: int) -> told.Facts:
    """Everything the policy asks about one platform. Each line carries its id as ``ref``. O(issued lines)."""
    return _facts(session, platform_id, tuple(documents(session, platform_id)))


def facts_beside_revenue(session: Session, platform_id: int) -> told.Facts:
    """The same without its documents."""
    return _facts(session, platform_id, ())


def _facts(session: Session, platform_id: int, earned: tuple[told.Document, ...]) -> told.Facts:
    platform = session.get_one(Platform, platform_id, options=[selectinload(Platform.operators)])
    claims = session.scalars(
        select(Claim)
        .where(Claim.platform_id == platform_id, Claim.policy == POLICY.number)
        .options(joinedload(Claim.record), selectinload(Claim.items).selectinload(ClaimItem.adjustments))
        .order_by(Claim.year)
    ).all()
    certified = next((one for one in platform.recognitions if one.level is RecognitionLevel.QUANZHOU), None)
    return told.Facts(
        platform=told.Platform(
            name=platform.name_zh,
            operators=tuple(
                told.Operator(one.organization.name, one.days.lower or date.min, _last_day(one.days.upper))
                for one in sorted(platform.operators, key=lambda one: one.days.lower or date.min)
            ),
            certified_on=certified.recognised_on if certified else None,
            certification_document=certified.document if certified else None,
            operating_since=platform.operating_since,
            host=platform.host.name,
        ),
        recognitions=tuple(
            told.Recognition(LEVELS[one.level], one.recognised_on, one.newly, one.document)
            for one in platform.recognitions
            if one.level in LEVELS
        ),
        evaluations=tuple(
            told.Evaluation(one.year, one.evaluated, one.selected, one.document)
            for one in session.scalars(
                select(Evaluation).where(Evaluation.platform_id == platform_id).order_by(Evaluation.year)
            )
        ),
        documents=earned,
        assets=tuple(_asset(one) for one in assets_of(session, platform_id)),
        filings=tuple(told.Filing(one.year, one.record.locked_on) for one in claims if one.record is not None),
        requested_m2=next(
            (one.requested_m2 for one in reversed(claims) if one.requested_m2 and one.state.stands), None
        ),
        other_grants=_other_grants(session, platform_id),
        decisions=tuple(decision for one in claims for decision in _decisions(one)),
    )


def _other_grants(session: Session, platform_id: int) -> tuple[told.OtherGrant, ...]:
    given = session.scalars(
        select(OtherGrant)
        .where(OtherGrant.platform_id == platform_id, OtherGrant.withdrawn_at.is_(None))
        .order_by(OtherGrant.id)
    )
    return tuple(
        told.OtherGrant(
            one.authority_level, one.programme_kind, one.year, one.amount_fen, one.timing, tuple(one.asset_nos)
        )
        for one in given
    )


def _decisions(claim: Claim) -> Iterator[told.Decision]:
    """What a locked claim uses up of the caps: the most that was ever granted, or, until then, what it was locked with.

    What is taken back later frees nothing, and what was not claimed in a locked year is granted no more.
    """
    if claim.record is None:
        return
    items = {one.programme: one for one in claim.items}
    for programme in PROGRAMMES:
        item = items.get(programme)
        if item is None:
            yield told.Decision(claim.year, programme, ZERO)
        elif item.approved_fen is None:
            yield told.Decision(claim.year, programme, item.locked_fen or ZERO)
        else:
            changes = [item.approved_fen, *(one.amount_fen for one in item.adjustments)]
            yield told.Decision(claim.year, programme, max(accumulate(changes)))


def _asset(one: Asset) -> told.Asset:
    return told.Asset(
        no=one.no,
        kind=one.kind,
        accepted_on=one.accepted_on,
        paid_on=one.paid_on,
        cost=one.cost_fen,
        cost_includes_tax=one.cost_includes_tax,
        tax_rate=one.tax_rate,
        input_tax_creditable=one.input_tax_creditable,
        fiscal=one.fiscal_fen,
        already_paid_under=one.already_paid_under,
    )


def _last_day(after: date | None) -> date | None:
    return None if after is None else date.fromordinal(after.toordinal() - 1)


def result_told(judgement: Judgement) -> dict[str, Any]:
    """The judgement as plain data, to be kept and compared."""
    return {
        "grants": [
            {
                "year": grant.year,
                "programme": grant.programme,
                "payable": str(grant.payable.amount),
                POLICY.upper.key: str(grant.payable.upper),
                POLICY.own.key: str(grant.payable.own),
                "payee": grant.payee,
                "estimate": None if grant.estimate is None else str(grant.estimate),
                "clawback": str(grant.clawback.amount),
            }
            for grant in judgement.grants
        ],
        "revenue": [
            {"year": one.year, "with_tax": str(one.with_tax), "base": str(one.base)} for one in judgement.revenue_years
        ],
        "flags": list(judgement.flags),
        "trace": [{"clause": step.clause, "zh": step.zh, "en": step.en} for step in judgement.trace],
    }
