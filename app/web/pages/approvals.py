"""The queue of requests: whoever decides sees what lapses first, and what else they should know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.booking.approving import booked_around, decide, waiting_requests
from app.booking.keeping import Standing, standing
from app.booking.models import Reservation
from app.booking.qualifying import missing_requirements
from app.booking.rules.approval import STEPS
from app.catalogue.models import Requirement
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.interval import Interval
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of

pages = Blueprint("approvals", __name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request with what a decider should know about it."""

    reservation: Reservation
    standing: Standing | None
    missing: Sequence[Requirement]
    around: Sequence[Reservation]

    @property
    def needed(self) -> int:
        return max(1, STEPS[self.reservation.equipment.approval])

    @property
    def agreed(self) -> list[str]:
        """Who agreed to the present slot."""
        row = self.reservation
        return [one.person.name for one in row.decisions if one.approved and one.during == row.during]


@pages.get("/approvals")
@requires(Permission.DECIDE_RESERVATIONS)
def list_requests() -> str:
    return render_template("approvals.html", **_queue(db.session()))


@pages.post("/approvals/<int:reservation_id>")
@requires(Permission.DECIDE_RESERVATIONS)
def decide_request(reservation_id: int) -> Response | str | tuple[str, int]:
    """Answers with the queue as it is then; without script with the whole page."""
    row = db.session.get(Reservation, reservation_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.DECIDE_RESERVATIONS).insist(platform_id=row.equipment.platform_id)
    person_id, approve = current_user.id, request.form.get("deed") == "approve"
    reason = request.form.get("reason", "").strip()[:300]
    in_place = request.headers.get("HX-Request") == "true"
    try:
        seen = _seen_slot()
        state = in_transaction(
            lambda session: (
                decide(
                    session,
                    reservation_id,
                    by=person_id,
                    approve=approve,
                    reason=reason,
                    at=clock.now(),
                    during=seen,
                ).state
            )
        )
    except Refusal as refusal:
        told = {"refused": sentence(refusal), "refused_id": reservation_id, "reason": reason}
        page = render_template("approvals_queue.html" if in_place else "approvals.html", **_queue(db.session()), **told)
        return page, status_of(refusal)
    done = {
        "booked": gettext("已批准，预约成立。"),
        "requested": gettext("已批准第一步，还需另一位运营人员批准。"),
        "declined": gettext("已告知申请人未获批准，时段已释放。"),
    }[state.value]
    if in_place:
        return render_template("approvals_queue.html", **_queue(db.session()), done=done)
    flash(done)
    return redirect(url_for(".list_requests"))


def _queue(session: Session) -> dict[str, list[Request]]:
    """A handful of rows at a time: each request costs four small reads."""
    now = clock.now()
    waiting = waiting_requests(session, bounds(Permission.DECIDE_RESERVATIONS).platform_ids, at=now)
    return {
        "requests": [
            Request(
                one,
                standing(session, platform_id=one.equipment.platform_id, organization_id=one.organization_id, at=now),
                missing_requirements(
                    session,
                    one.equipment_id,
                    organization_id=one.organization_id,
                    person_id=one.person_id,
                    on=clock.local_date(one.during.start),
                ),
                booked_around(session, one),
            )
            for one in waiting
        ]
    }


def _seen_slot() -> Interval | None:
    """The slot that stood beside the button, as ``start/end``."""
    start, _, end = request.form.get("during", "").partition("/")
    if not start:
        return None
    try:
        return Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
    except ValueError:
        raise InvalidInput("时段无法识别，请刷新页面后再试。", field="during") from None
