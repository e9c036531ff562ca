"""Claims of a year: filed by the operator, followed to the last payment by everybody concerned."""

from __future__ import annotations

from functools import partial
from typing import Literal

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as Answer

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import Refusal
from app.kernel.money import Money, total
from app.web.access import bounds, requires
from app.web.errors import sentence
from app.web.exports import Column, attached, download
from app.web.formats import said
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.pages.subsidy import programme_said, why_not
from app.web.paging import wanted_file
from app.web.words import word_of
from billing.answering import POLICY
from billing.claims.adjusting import granted, proposals_of
from billing.claims.budgeting import budget_of, left_in_budget, left_to_approve
from billing.claims.filing import claimable
from billing.claims.printing import claim_pdf
from billing.claims.record import basis_of, facts_file
from billing.claims.settling import BEARERS
from billing.claims.statements import ClaimView, claim_of_year, claim_view, claims_of, history_of
from billing.rules.claim import DECIDED, MOVES, ClaimState

pages = Blueprint("claims", __name__)

DEEDS = {
    "claim_filed": _l("提交申报"),
    "claim_returned": _l("退回平台"),
    "claim_withdrawn": _l("撤回申报"),
    "claim_locked": _l("锁定"),
    "claim_asked": _l("提出问题"),
    "claim_answered": _l("答复"),
    "claim_deducted": _l("核减"),
    "claim_deduction_withdrawn": _l("撤销核减"),
    "claim_approved": _l("核定"),
    "claim_paid": _l("登记拨付"),
    "claim_adjusted": _l("调整"),
}


@pages.get("/claims")
@requires(Permission.SEE_CLAIMS)
def list_claims() -> Answer | str:
    limits = bounds(Permission.SEE_CLAIMS)
    year = request.args.get("year", type=int)
    rows = claims_of(db.session(), year=year, platform_ids=None if limits.everything else limits.platform_ids)
    if form := wanted_file():
        return download(
            f"claims-{year or 'all'}", _columns(), rows, form=form, is_sample=lambda one: one.claim.illustrative
        )
    return claims_page(year, rows)


def claims_page(year: int | None, rows: list[ClaimView], refusal: Refusal | None = None) -> str:
    """The list, with what there is to decide about the year as a whole."""
    session, last = db.session(), clock.local_date(clock.now()).year - 1
    budget_year = year or last
    return render_template(
        "claims.html",
        rows=rows,
        year=year,
        years=range(POLICY.in_force_from.year, last + 2),
        last=last,
        budget_year=budget_year,
        budget=budget_of(session, budget_year),
        budget_left=left_in_budget(session, budget_year),
        locked=[one for one in rows if one.claim.state is ClaimState.LOCKED and one.claim.year == budget_year],
        may_decide=bounds(Permission.DECIDE_CLAIMS).everything,
        may_file=own_platforms(Permission.FILE_CLAIMS),
        bearers=BEARERS,
        total=total,
        refused=sentence(refusal) if refusal is not None else "",
        refused_field=refusal.field if refusal is not None else "",
    )


@pages.get("/claims/new")
@requires(Permission.FILE_CLAIMS)
def new() -> str:
    """What the year yields, before it is filed."""
    platform = chosen_platform(Permission.FILE_CLAIMS)
    this_year = clock.local_date(clock.now()).year
    year = request.args.get("year", this_year - 1, type=int)
    return new_page(platform, year if POLICY.in_force_from.year <= year <= this_year else this_year - 1)


def new_page(platform: Platform, year: int, refusal: Refusal | None = None) -> str:
    claimed = claimable(db.session(), platform.id, year)
    claim = claim_of_year(db.session(), platform.id, year)
    return render_template(
        "claim_new.html",
        platform=platform,
        platforms=own_platforms(Permission.FILE_CLAIMS),
        year=year,
        claimed=[(programme_said(one.programme), one, amount) for one, amount in claimed],
        amount=total([amount for _, amount in claimed]),
        is_centre=any(one.level == "national_innovation_centre" for one in platform.recognitions),
        over=clock.local_date(clock.now()).year > year,
        filed=claim if claim is not None and ClaimState.FILED not in MOVES[claim.state] else None,
        refused=sentence(refusal) if refusal is not None else "",
    )


@pages.get("/claims/<int:claim_id>")
@requires(Permission.SEE_CLAIMS)
def claim(claim_id: int) -> str:
    return claim_page(visible(claim_id, Permission.SEE_CLAIMS))


def claim_page(view: ClaimView, refusal: Refusal | None = None) -> str:
    session, one = db.session(), view.claim
    judged = basis_of(session, one.platform_id, one.year).judged()
    proposed = proposals_of(session, one)
    decides, files = (
        bounds(permission).allows(platform_id=one.platform_id)
        for permission in (Permission.DECIDE_CLAIMS, Permission.FILE_CLAIMS)
    )
    return render_template(
        "claim.html",
        view=view,
        claim=one,
        items=[
            (item, programme_said(item.programme), left_to_approve(item), granted(item), proposed.get(item.programme))
            for item in one.items
        ],
        grants=[
            (programme_said(grant.programme), grant, why_not(grant.reason)) for grant in judged.grants_of(one.year)
        ],
        flags=judged.flags,
        history=history_of(session, one.id),
        deeds=DEEDS,
        decided=one.state in DECIDED,
        decides=decides,
        files=files,
        budget_left=left_in_budget(session, one.year),
        today=clock.local_date(clock.now()),
        refused=sentence(refusal) if refusal is not None else "",
        refused_field=refusal.field if refusal is not None else "",
        sent=request.form,
    )


@pages.get("/claims/<int:claim_id>/facts.json")
@requires(Permission.SEE_CLAIMS)
def facts(claim_id: int) -> Answer:
    """The facts that the claim rests on, as a file that ``flask subsidy simulate`` and the page of simulations read."""
    one = visible(claim_id, Permission.SEE_CLAIMS).claim
    content = facts_file(db.session(), one)
    name = f"claim-{one.platform.code.lower()}-{one.year}.json"
    return attached(content, name, "application/json")


@pages.get("/claims/<int:claim_id>.pdf")
@requires(Permission.SEE_CLAIMS)
def pdf(claim_id: int) -> Answer:
    view = visible(claim_id, Permission.SEE_CLAIMS)
    one = view.claim
    judged = basis_of(db.session(), one.platform_id, one.year).judged()
    name = f"claim-{one.platform.code.lower()}-{one.year}.pdf"
    return Response(
        claim_pdf(view, judged),
        mimetype="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


def visible(claim_id: int, permission: Permission) -> ClaimView:
    """The claim, if the actor may use ``permission`` on its platform. Errors: ``NotFound``."""
    view = claim_view(db.session(), claim_id)
    bounds(permission).insist(platform_id=view.claim.platform_id)
    return view


def _borne(at: int, what: Literal["due", "paid"], one: ClaimView) -> Money:
    amount: Money = getattr(one.borne[at], what)
    return amount


def _columns() -> list[Column[ClaimView]]:
    bearers: list[Column[ClaimView]] = []
    for at, bearer in enumerate(BEARERS):
        name = said(bearer, "")
        bearers += [
            Column(gettext("%(bearer)s应拨", bearer=name), partial(_borne, at, "due"), "money"),
            Column(gettext("%(bearer)s已拨", bearer=name), partial(_borne, at, "paid"), "money"),
        ]
    return [
        Column(gettext("年度"), lambda one: one.claim.year, "number"),
        Column(gettext("平台"), lambda one: said(one.claim.platform, "name")),
        Column(gettext("状态"), lambda one: word_of(one.claim.state)),
        Column(gettext("申报"), lambda one: one.filed, "money"),
        Column(gettext("锁定"), lambda one: one.locked, "money"),
        Column(gettext("核减"), lambda one: one.deducted, "money"),
        Column(gettext("核定"), lambda one: one.approved, "money"),
        Column(gettext("调整"), lambda one: one.adjusted, "money"),
        *bearers,
        Column(gettext("核定文号"), lambda one: one.claim.document),
    ]
