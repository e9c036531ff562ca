"""Tell whoever records money of a closed month on which day it is in the books."""

from __future__ import annotations

from datetime import date

from flask_babel import gettext
from sqlalchemy.orm import Session

from app.web.formats import day, month
from billing.books import first_open_day


def with_booked_on(session: Session, said: str, *, platform_id: int, on: date) -> str:
    """``said``, and where the books put a deed of that day, if that is another day."""
    booked_on = first_open_day(session, platform_id, on)
    if booked_on == on:
        return said
    return gettext("%(said)s%(month)s 已月结，账上记在 %(day)s。", said=said, month=month(on), day=day(booked_on))
