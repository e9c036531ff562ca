"""Shares of a jointly built platform's revenue: recorded agreements, and a proposal for each month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from psycopg import errors as pg
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money, total
from billing.models import RevenueEntry, SharingAgreement, SharingLine, SharingParty, SharingProposal
from billing.rules.sharing import Part, ProposalState, checked, shared


def agree(
    session: Session,
    *,
    platform_id: int,
    title: str,
    document_no: str,
    first_day: date,
    day_after: date | None,
    parts: Sequence[Part],
    by: int,
    at: datetime,
) -> SharingAgreement:
    """Record an agreement of the parties. Shape: each part's ``party`` is an organization's id.

    Errors: ``InvalidInput``; ``Conflict`` with an agreement of the same days.
    """
    if not title.strip() or not document_no.strip():
        raise InvalidInput("请填写协议名称和文号。", field="title")
    if day_after is not None and day_after <= first_day:
        raise InvalidInput("结束日期应晚于开始日期。", field="last_day")
    agreement = SharingAgreement(
        platform_id=platform_id,
        title=title.strip(),
        document_no=document_no.strip(),
        days=Range(first_day, day_after),
        created_by=by,
        created_at=at,
        parties=[
            SharingParty(organization_id=one.party, percent=one.percent, takes_remainder=one.takes_remainder)
            for one in checked(parts)
        ],
    )
    try:
        with session.begin_nested():
            session.add(agreement)
            session.flush()
    except IntegrityError as error:
        if not isinstance(error.orig, pg.ExclusionViolation):
            raise
        raise Conflict("这些日期已有分成协议，请先结束原协议。") from error
    audit.record(
        session, at=at, by=by, deed="agreed", subject="sharing_agreement", subject_id=agreement.id,
        document=agreement.document_no, parties={str(one.party): str(one.percent) for one in parts},
    )  # fmt: skip
    return agreement


def end_agreement(session: Session, agreement_id: int, *, day_after: date, by: int, at: datetime) -> None:
    """Let an agreement end, so that another can follow. Errors: ``InvalidInput`` for a day before it began."""
    agreement = _agreement(session, agreement_id)
    if agreement.days.lower is None or day_after <= agreement.days.lower:
        raise InvalidInput("结束日期应晚于开始日期。", field="last_day")
    agreement.days = Range(agreement.days.lower, day_after)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="ended", subject="sharing_agreement", subject_id=agreement_id,
        day_after=day_after.isoformat(),
    )  # fmt: skip


def propose_shares(session: Session, *, at: datetime) -> int:
    """Bring every agreement's proposals up to what is recognized now. Returns how many changed.

    A proposal is computed anew while it is not confirmed; what comes after that is a proposal of the
    difference. Running it again changes nothing. O(revenue entries of platforms with an agreement).
    """
    agreements = session.scalars(
        select(SharingAgreement).options(selectinload(SharingAgreement.parties)).order_by(SharingAgreement.id)
    ).all()
    changed = 0
    for agreement in agreements:
        session.execute(select(SharingAgreement.id).where(SharingAgreement.id == agreement.id).with_for_update())
        known = _proposals(session, agreement.id)
        base = _bases(session, agreement)
        for month in sorted({*base, *known}):
            changed += _propose(session, agreement, month, base.get(month, ZERO), known.get(month, []), at=at)
    session.flush()
    return changed


def confirm_shares(session: Session, proposal_id: int, *, seen: Money, by: int, at: datetime) -> SharingProposal:
    """Fix a proposal. ``seen`` is the base amount that was looked at.

    Errors: ``Conflict`` when it was computed anew meanwhile, or is confirmed.
    """
    proposal = session.scalar(
        select(SharingProposal).where(SharingProposal.id == proposal_id).with_for_update(of=SharingProposal)
    )
    if proposal is None:
        raise NotFound("没有这份分成方案。")
    if proposal.state is ProposalState.CONFIRMED:
        raise Conflict("这份分成方案已经确认。")
    if proposal.base_fen != seen:
        raise Conflict("收入刚有变化，分成方案已重新计算，请看过再确认。")
    proposal.state, proposal.confirmed_by, proposal.confirmed_at = ProposalState.CONFIRMED, by, at
    session.flush()
    audit.record(
        session, at=at, by=by, deed="confirmed", subject="sharing_proposal", subject_id=proposal.id,
        month=proposal.month.isoformat(), base=str(proposal.base_fen),
    )  # fmt: skip
    return proposal


def _agreement(session: Session, agreement_id: int) -> SharingAgreement:
    found = session.scalar(select(SharingAgreement).where(SharingAgreement.id == agreement_id).with_for_update())
    if found is None:
        raise NotFound("没有这份分成协议。")
    return found


def _proposals(session: Session, agreement_id: int) -> dict[date, list[SharingProposal]]:
    found: dict[date, list[SharingProposal]] = {}
    for one in session.scalars(
        select(SharingProposal)
        .where(SharingProposal.agreement_id == agreement_id)
        .options(selectinload(SharingProposal.lines))
        .order_by(SharingProposal.month, SharingProposal.sequence)
    ):
        found.setdefault(one.month, []).append(one)
    return found


def _bases(session: Session, agreement: SharingAgreement) -> dict[date, Money]:
    """Net revenue of each month, by date of invoice, as far as the agreement's days reach."""
    month = func.date_trunc("month", RevenueEntry.invoiced_on)
    rows = session.execute(
        select(month, func.sum(RevenueEntry.net_fen))
        .where(RevenueEntry.platform_id == agreement.platform_id, RevenueEntry.invoiced_on.op("<@")(agreement.days))
        .group_by(month)
    )
    return {first.date(): Money(int(net.fen)) for first, net in rows}


def _propose(
    session: Session,
    agreement: SharingAgreement,
    month: date,
    base: Money,
    known: Sequence[SharingProposal],
    *,
    at: datetime,
) -> int:
    """What is to be on the open proposal: the shares of all, less what is confirmed."""
    confirmed = [one for one in known if one.state is ProposalState.CONFIRMED]
    waiting = next((one for one in known if one.state is ProposalState.PROPOSED), None)
    difference = base - total([one.base_fen for one in confirmed])
    if difference == (ZERO if waiting is None else waiting.base_fen):
        return 0
    if waiting is not None and not difference and confirmed:
        session.delete(waiting)
        return 1
    parts = [Part(one.id, one.percent, one.takes_remainder) for one in agreement.parties]
    given = {
        one.party: total([line.amount_fen for each in confirmed for line in each.lines if line.party_id == one.party])
        for one in parts
    }
    if waiting is None:
        waiting = SharingProposal(agreement_id=agreement.id, month=month, sequence=len(confirmed))
        session.add(waiting)
    waiting.base_fen, waiting.computed_at = difference, at
    own = {line.party_id: line for line in waiting.lines}
    for part, amount in zip(parts, shared(base, parts), strict=True):
        line = own.get(part.party)
        if line is None:
            waiting.lines.append(SharingLine(party_id=part.party, amount_fen=amount - given[part.party]))
        else:
            line.amount_fen = amount - given[part.party]
    return 1
