from __future__ import annotations

from datetime import timedelta

import pytest

from app.booking.rules.feedback import (
    CHANGED_WITHIN,
    POINTS,
    Severity,
    insist_on_finished,
    insist_on_opinion,
    insist_on_still_open,
)
from app.booking.rules.reservation import ReservationState as State
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval
from tests.makers import BEGINNING

SLOT = Interval(BEGINNING, BEGINNING + timedelta(hours=2))


@pytest.mark.parametrize(
    ("state", "hours", "released", "used", "fine"),
    [
        (State.BOOKED, 1, None, True, False),
        (State.BOOKED, 2, None, True, True),
        (State.BOOKED, 1, 1, True, True),
        (State.FINISHED, 1, None, True, True),
        (State.BOOKED, 3, None, False, False),
        (State.CANCELLED, 3, None, True, False),
        (State.NO_SHOW, 3, None, True, False),
        (State.REQUESTED, 3, None, True, False),
    ],
)
def test_only_a_use_that_was_and_is_over_can_be_rated(state, hours, released, used, fine):
    at = BEGINNING + timedelta(hours=hours)
    given = {"released_at": released and BEGINNING + timedelta(hours=released), "used": used, "at": at}
    if fine:
        insist_on_finished(state, SLOT, **given)
    else:
        with pytest.raises(Conflict):
            insist_on_finished(state, SLOT, **given)


@pytest.mark.parametrize(("stars", "words"), [(0, ""), (6, ""), (3, "长" * 1001)])
def test_what_is_no_opinion_is_refused(stars, words):
    with pytest.raises(InvalidInput):
        insist_on_opinion(stars, words)


def test_an_opinion_may_be_changed_for_seven_days():
    insist_on_still_open(BEGINNING, BEGINNING + CHANGED_WITHIN)
    with pytest.raises(Conflict):
        insist_on_still_open(BEGINNING, BEGINNING + CHANGED_WITHIN + timedelta(seconds=1))


def test_a_worse_incident_weighs_more():
    assert POINTS[Severity.MINOR] < POINTS[Severity.SERIOUS] < POINTS[Severity.MAJOR]
