"""Shares of a jointly built platform's revenue: agreements, and each month's proposal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload
from werkzeug.wrappers import Response

from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import money
from app.web.forms import day_in, money_in
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import page_of_list, wanted_file
from billing.models import SharingAgreement, SharingLine, SharingParty, SharingProposal
from billing.rules.sharing import Part, ProposalState
from billing.sharing import agree, confirm_shares, end_agreement, propose_shares

pages = Blueprint("sharing", __name__)
STATES: dict[ProposalState, Any] = {ProposalState.PROPOSED: _l("待确认"), ProposalState.CONFIRMED: _l("已确认")}
PLACES = 4
"""Parties that the form has room for."""


@pages.get("/sharing")
@requires(Permission.SHARE_REVENUE)
def agreements() -> Response | str:
    platform = chosen_platform(Permission.SHARE_REVENUE)
    if form := wanted_file():
        columns: list[Column[tuple[SharingProposal, SharingLine]]] = [
            Column(gettext("月份"), lambda one: f"{one[0].month:%Y-%m}"),
            Column(gettext("协议文号"), lambda one: one[0].agreement.document_no),
            Column(gettext("序号"), lambda one: one[0].sequence + 1, "number"),
            Column(gettext("共建方"), lambda one: one[1].party.organization.name),
            Column(gettext("比例"), lambda one: one[1].party.percent, "number"),
            Column(gettext("分成金额"), lambda one: one[1].amount_fen, "money"),
            Column(gettext("状态"), lambda one: STATES[one[0].state]),
        ]
        rows = [(proposal, line) for proposal in _proposals(platform.id) for line in proposal.lines]
        return download("sharing", columns, rows, form=form, is_sample=lambda _: platform.illustrative)
    return _page()


@pages.post("/sharing")
@requires(Permission.SHARE_REVENUE)
def record() -> Response | tuple[str, int]:
    person_id = current_user.id
    try:
        platform_id = request.form.get("platform_id", 0, type=int)
        bounds(Permission.SHARE_REVENUE).insist(platform_id=platform_id)
        parts, first_day, last_day = _parts(), day_in("first_day"), request.form.get("last_day", "")
        day_after = day_in("last_day") + timedelta(days=1) if last_day else None
        in_transaction(
            lambda session: (
                agree(
                    session,
                    platform_id=platform_id,
                    title=request.form.get("title", ""),
                    document_no=request.form.get("document_no", ""),
                    first_day=first_day,
                    day_after=day_after,
                    parts=parts,
                    by=person_id,
                    at=clock.now(),
                ).id
            )
        )
    except NotFound:
        raise
    except Refusal as refusal:
        return _page(refusal), status_of(refusal)
    in_transaction(lambda session: propose_shares(session, at=clock.now()))
    flash(gettext("已登记分成协议。"))
    return redirect(url_for(".agreements", platform_id=platform_id))


@pages.post("/sharing/<int:agreement_id>/end")
@requires(Permission.SHARE_REVENUE)
def end(agreement_id: int) -> Response | tuple[str, int]:
    platform_id, person_id = _own_agreement(agreement_id).platform_id, current_user.id
    try:
        day_after = day_in("ends_on") + timedelta(days=1)
        in_transaction(
            lambda session: end_agreement(session, agreement_id, day_after=day_after, by=person_id, at=clock.now())
        )
    except Refusal as refusal:
        return _page(refusal), status_of(refusal)
    return redirect(url_for(".agreements", platform_id=platform_id))


@pages.post("/sharing/proposals/<int:proposal_id>/confirm")
@requires(Permission.SHARE_REVENUE)
def confirm(proposal_id: int) -> Response | tuple[str, int]:
    proposal = db.session.get(SharingProposal, proposal_id)
    if proposal is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    platform_id, person_id = _own_agreement(proposal.agreement_id).platform_id, current_user.id
    try:
        seen = money_in("seen")
        base = in_transaction(
            lambda session: confirm_shares(session, proposal_id, seen=seen, by=person_id, at=clock.now()).base_fen
        )
    except Refusal as refusal:
        return _page(refusal), status_of(refusal)
    flash(gettext("已确认分成，合计 %(amount)s。", amount=money(base)))
    return redirect(url_for(".agreements", platform_id=platform_id))


def _own_agreement(agreement_id: int) -> SharingAgreement:
    """Errors: ``NotFound`` for an agreement of another's platform."""
    found = db.session.get(SharingAgreement, agreement_id)
    if found is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.SHARE_REVENUE).insist(platform_id=found.platform_id)
    return found


def _parts() -> list[Part]:
    """The parties that the form names. The one marked takes the remainder, else the first."""
    rows = [(request.form.get(f"party_{n}", ""), request.form.get(f"percent_{n}", "")) for n in range(PLACES)]
    taker = request.form.get("remainder", "0")
    found = []
    for number, (name, percent) in enumerate(rows):
        if not name.strip() and not percent.strip():
            continue
        party = db.session.scalar(select(Organization.id).where(Organization.name == name.strip()))
        if party is None:
            raise InvalidInput("没有名为“%(name)s”的单位，请先登记。", field="parties", name=name.strip())
        try:
            found.append(Part(party, Decimal(percent), str(number) == taker))
        except InvalidOperation:
            raise InvalidInput("请填写各方的比例（百分数）。", field="parties") from None
    return found


def _proposals(platform_id: int) -> Sequence[SharingProposal]:
    """Latest months first, a month's differences before what they are added to."""
    return db.session.scalars(
        select(SharingProposal)
        .join(SharingAgreement, SharingAgreement.id == SharingProposal.agreement_id)
        .where(SharingAgreement.platform_id == platform_id)
        .options(
            joinedload(SharingProposal.agreement),
            selectinload(SharingProposal.lines).joinedload(SharingLine.party).joinedload(SharingParty.organization),
        )
        .order_by(SharingProposal.month.desc(), SharingProposal.agreement_id, SharingProposal.sequence.desc())
    ).all()


def _page(refusal: Refusal | None = None) -> str:
    platform = chosen_platform(Permission.SHARE_REVENUE)
    agreed = db.session.scalars(
        select(SharingAgreement)
        .where(SharingAgreement.platform_id == platform.id)
        .options(selectinload(SharingAgreement.parties).joinedload(SharingParty.organization))
        .order_by(SharingAgreement.days.desc())
    ).all()
    return render_template(
        "sharing.html",
        platform=platform,
        platforms=own_platforms(Permission.SHARE_REVENUE),
        agreements=agreed,
        page=page_of_list(_proposals(platform.id)),
        known={platform.host, *[one.organization for one in platform.operators]},
        room=PLACES,
        last_day=_last_day,
        told=request.form,
        refused=sentence(refusal) if refusal is not None else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )


def _last_day(agreement: SharingAgreement) -> date | None:
    return None if agreement.days.upper is None else agreement.days.upper - timedelta(days=1)
