"""What is due in a month, as conditions on charges."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, literal_column, or_

from app.kernel import clock
from app.kernel.interval import local_month
from billing.models import Charge, LateRelease, PeriodClose
from billing.rules.period import PeriodState, earliest_late
from billing.rules.words import ChargeState

WAITING = (ChargeState.PROPOSED, ChargeState.DISPUTED)
"""What somebody has to decide on before it can be billed."""


def due_in(platform_id: int, month: date) -> ColumnElement[bool]:
    """Approved, and to be on an invoice of this month rather than of an earlier one.

    That is the month's own, and what came late for months that are closed: two months back by itself,
    from further back when somebody has released it.
    """
    span = local_month(month.year, month.month)
    return and_(
        Charge.platform_id == platform_id,
        in_state(ChargeState.APPROVED),
        Charge.served_at < span.end,
        or_(Charge.served_at >= span.start, and_(in_closed_month(), or_(~beyond_look_back(month), released()))),
    )


def in_state(state: ChargeState) -> ColumnElement[bool]:
    """Written out, so that the planner sees that the index of what is open will do."""
    return Charge.state == literal(state, Charge.state.type, literal_execute=True)


def served_in(month: date) -> ColumnElement[bool]:
    span = local_month(month.year, month.month)
    return and_(Charge.served_at >= span.start, Charge.served_at < span.end)


def out_of_look_back(platform_id: int, month: date) -> ColumnElement[bool]:
    """Approved and too late for an invoice of ``month``: somebody has to say what becomes of it."""
    return and_(
        Charge.platform_id == platform_id,
        in_state(ChargeState.APPROVED),
        beyond_look_back(month),
        in_closed_month(),
        ~released(),
    )


def in_closed_month() -> ColumnElement[bool]:
    return exists().where(
        PeriodClose.platform_id == Charge.platform_id,
        PeriodClose.month == func.date_trunc("month", local(Charge.served_at)),
        PeriodClose.state == PeriodState.CLOSED,
    )


def beyond_look_back(month: date) -> ColumnElement[bool]:
    return Charge.served_at < clock.local_midnight(earliest_late(month))


def released() -> ColumnElement[bool]:
    return exists().where(LateRelease.charge_id == Charge.id)


def local(moment: ColumnElement[datetime] | Any) -> ColumnElement[datetime]:
    """The facility's wall clock at a moment."""
    return func.timezone(literal_column(f"'{clock.FACILITY_ZONE.key}'"), moment)
