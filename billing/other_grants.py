"""What authorities above Jinjiang granted a platform: recorded by its operator, so that nothing is paid twice (A15)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money
from billing.models import Asset, OtherGrant
from billing.rules.facts import AuthorityLevel, GrantTiming, ProgrammeKind

LEVELS: tuple[AuthorityLevel, ...] = get_args(AuthorityLevel)
KINDS: tuple[ProgrammeKind, ...] = get_args(ProgrammeKind)
TIMINGS: tuple[GrantTiming, ...] = get_args(GrantTiming)


def record_other_grant(
    session: Session,
    platform_id: int,
    *,
    authority_level: AuthorityLevel,
    programme_kind: ProgrammeKind,
    year: int,
    amount: Money,
    timing: GrantTiming,
    asset_nos: Collection[str],
    document: str,
    by: int,
    at: datetime,
) -> OtherGrant:
    """Quanzhou's half of P1 and P2 is a share of the same grant and is not recorded here.

    Errors: ``InvalidInput`` for an amount that is not positive, without a document, for an unknown asset, or for a
    purchase without its assets.
    """
    if amount <= ZERO:
        raise InvalidInput("补助金额要大于零。", field="amount")
    if not document.strip():
        raise InvalidInput("请写明上级补助文件的文号。", field="document")
    if not 2000 <= year <= 2100:
        raise InvalidInput("请填写四位数的年度。", field="year")
    numbers = sorted(set(asset_nos))
    if programme_kind == "equipment" and timing == "ex_ante":
        raise InvalidInput("设备购置的事前投入是财政资金，请登记在资产的“其中财政资金”里。", field="timing")
    if programme_kind == "equipment" and not numbers:
        raise InvalidInput("请写明设备购置补助涉及的资产编号。", field="asset_nos")
    known = session.scalars(select(Asset.no).where(Asset.platform_id == platform_id, Asset.no.in_(numbers))).all()
    if missing := sorted(set(numbers) - set(known)):
        raise InvalidInput("资产登记里没有 %(numbers)s，请先登记。", field="asset_nos", numbers="、".join(missing))
    made = OtherGrant(
        platform_id=platform_id, authority_level=authority_level, programme_kind=programme_kind, year=year,
        amount_fen=amount, timing=timing, asset_nos=numbers, document=document.strip(), recorded_by=by, recorded_at=at,
    )  # fmt: skip
    session.add(made)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="other_grant_recorded", subject="other_grant", subject_id=made.id,
        amount=str(amount), document=made.document,
    )  # fmt: skip
    return made


def withdraw_other_grant(session: Session, grant_id: int, *, reason: str, by: int, at: datetime) -> OtherGrant:
    """Take back what was recorded wrongly; the row stays. Errors: ``NotFound``, ``Conflict``, ``InvalidInput``."""
    made = session.get(OtherGrant, grant_id, with_for_update=True)
    if made is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    if made.withdrawn_at is not None:
        raise Conflict("这一笔已经撤销。")
    if not reason.strip():
        raise InvalidInput("请写明撤销的理由。", field="reason")
    made.withdrawn_at, made.withdrawn_reason = at, reason.strip()
    session.flush()
    audit.record(
        session, at=at, by=by, deed="other_grant_withdrawn", subject="other_grant", subject_id=made.id,
        reason=made.withdrawn_reason,
    )  # fmt: skip
    return made


def other_grants_of(session: Session, platform_id: int) -> Sequence[OtherGrant]:
    """By year, those withdrawn too."""
    return session.scalars(
        select(OtherGrant).where(OtherGrant.platform_id == platform_id).order_by(OtherGrant.year, OtherGrant.id)
    ).all()
