"""The form that books a series: its rule, each date that comes of it, and what the chosen ones would cost."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from flask import render_template, request
from flask_login import current_user

from app.booking.repeating import Occurrence, preview
from app.booking.rules.recurrence import Every, Recurrence, occurrences
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, Refusal
from app.kernel.interval import Interval
from app.web.access import acting_organization
from app.web.booking_form import accessories_in, accessories_of, estimate_of
from app.web.errors import sentence
from app.web.estimates import Estimate, estimates, total_of
from app.web.forms import interval_in

FIELDS = frozenset({"starts_at", "ends_at", "interval", "until", "times", "dates", "accessories"})


def series_form(equipment: Equipment, *, found: Sequence[Occurrence] = (), refusal: Refusal | None = None) -> str:
    errors, refused, day = _said(refusal)
    told = request.form.getlist("choice")
    chosen = told if len(told) == len(found) else ["" if one.refusal else _written(one.when) for one in found]
    return render_template(
        "series_new.html",
        equipment=equipment,
        accessories=accessories_of(equipment),
        told=request.values,
        weekdays=request.values.getlist("weekday", type=int),
        found=list(zip(found, chosen, _estimates(equipment, [one.when for one in found]), strict=True)),
        free=sum(one.refusal is None for one in found),
        too_early=sum(one.too_early for one in found),
        written=_written,
        key=secrets.token_hex(16),
        errors=errors,
        refused=refused,
        when=day,
        sentence=sentence,
        cost=cost_of(equipment, [_chosen(text) for text in chosen if text]),
        once=_once(equipment),
    )


def _said(refusal: Refusal | None) -> tuple[dict[str, str], str, datetime | None]:
    """A refusal beside its field, or as a whole; with its date where it is about one date alone."""
    if refusal is None:
        return {}, "", None
    day = refusal.facts.get("starts_at")
    if refusal.field in FIELDS and day is None:
        return {refusal.field: sentence(refusal)}, "", None
    return {}, sentence(refusal), day


def looked_at(equipment: Equipment) -> list[Occurrence]:
    """Each date of the rule in the form as it would stand now. Errors: ``InvalidInput``, ``NotFound``."""
    whens, accessories = occurrences(interval_in(), _rule()), accessories_in()
    organization_id, person_id = acting_organization(Permission.RESERVE), current_user.id
    return in_transaction(
        lambda session: preview(
            session,
            equipment_id=equipment.id,
            whens=whens,
            organization_id=organization_id,
            person_id=person_id,
            at=clock.now(),
            accessories=accessories,
        )
    )


def _estimates(equipment: Equipment, whens: Sequence[Interval]) -> list[Estimate]:
    firm = acting_organization(Permission.RESERVE)
    return estimates(db.session(), [(equipment, when) for when in whens], organization_id=firm)


def cost_of(equipment: Equipment, whens: Sequence[Interval]) -> dict[str, Any]:
    """What the dates cost together, as ``series_estimate.html`` says it."""
    return {"count": len(whens), "total": total_of(_estimates(equipment, whens))}


def _once(equipment: Equipment) -> dict[str, Any]:
    """The estimate of the first date, once its times are told."""
    try:
        return estimate_of(equipment, interval_in())
    except InvalidInput:
        return {"lines": []}


def _rule() -> Recurrence:
    told = request.values
    try:
        every = Every(told.get("every", "week"))
        dates = tuple(date.fromisoformat(text) for text in told.get("dates", "").replace(",", " ").split())
        until = date.fromisoformat(told["until"]) if told.get("until") else None
    except ValueError:
        raise InvalidInput("日期须写成 2026-03-01，多个日期以空格或换行分开。", field="dates") from None
    return Recurrence(
        every,
        interval=_whole("interval", 1) or 0,
        weekdays=frozenset(day for day in told.getlist("weekday", type=int) if 0 <= day <= 6),
        until=until,
        times=_whole("times", None),
        dates=dates,
    )


def _whole(name: str, default: int | None) -> int | None:
    text = request.values.get(name, "").strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise InvalidInput("请填写整数。", field=name) from None


def choices_in() -> list[Interval]:
    """The dates that are chosen, those that were skipped left out. Errors: ``InvalidInput``."""
    return [_chosen(text) for text in request.form.getlist("choice") if text]


def _written(when: Interval) -> str:
    return f"{when.start.isoformat()}/{when.end.isoformat()}"


def _chosen(text: str) -> Interval:
    try:
        start, _, end = text.partition("/")
        return Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
    except ValueError:
        raise InvalidInput("请填写日期和时间。", field="dates") from None
