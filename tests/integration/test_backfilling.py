"""Missing numbers: found, asked for, closed."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from devices.backfilling import PATIENCE, RARELY, Question, questions, questions_after_a_lost_session
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.models import SequenceGap
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, sparkplug_topic
from devices.simulating import speaking
from tests import makers
from tests.integration.test_ingesting import AT, native

CODE = "mt-one"
SHARD = shard_of(CODE)
SOON = AT + PATIENCE


@pytest.fixture
def meter(session):
    return makers.meter(session, code=CODE, shard=SHARD)


def gaps(session) -> list[tuple[int, int, bool]]:
    rows = session.scalars(select(SequenceGap).order_by(SequenceGap.first).execution_options(populate_existing=True))
    return [(one.first, one.last, one.closed_at is not None) for one in rows]


def test_a_gap_is_written_down_once_and_closed_when_it_is_filled(session, meter):
    ingest(session, [native(meter, [1, 2, 6, 7])])
    ingest(session, [native(meter, [8, 10])])
    assert gaps(session) == [(3, 5, False), (9, 9, False)]
    ingest(session, [native(meter, [4])])
    assert gaps(session) == [(3, 5, False), (9, 9, False)]
    ingest(session, [native(meter, [3, 5])])
    assert gaps(session) == [(3, 5, True), (9, 9, False)]


def test_what_an_offline_queue_dropped_is_a_gap_that_backfill_closes(session, meter):
    """5,000 were published, the broker kept the first 1,000, and the last one shows it."""
    ingest(session, [native(meter, range(1, 501)), native(meter, range(501, 1001)), native(meter, [5000])])
    assert gaps(session) == [(1001, 4999, False)]
    assert questions(session, [SHARD], at=SOON) == [Question(CODE, 1, 1001, 4999)]
    ingest(session, [native(meter, range(first, first + 500)) for first in range(1001, 5000, 500)])
    assert gaps(session) == [(1001, 4999, True)]
    assert questions(session, [SHARD], at=AT + timedelta(days=1)) == []


def test_only_what_is_still_missing_is_asked_for_and_ever_more_rarely(session, meter):
    ingest(session, [native(meter, [10])])
    ingest(session, [native(meter, [4, 5])])
    assert questions(session, [SHARD], at=AT + timedelta(seconds=1)) == []
    assert questions(session, [SHARD], at=SOON) == [Question(CODE, 1, 1, 3), Question(CODE, 1, 6, 9)]
    assert questions(session, [SHARD], at=SOON + PATIENCE) == []
    moments = []
    moment = SOON
    while len(moments) < 12:
        moment += PATIENCE
        if questions(session, [SHARD], at=moment):
            moments.append(moment)
    waits = [later - earlier for earlier, later in pairwise(moments)]
    assert waits == sorted(waits)
    assert waits[-1] == RARELY


def test_a_meter_of_another_shard_or_switched_off_is_not_asked(session, meter):
    ingest(session, [native(meter, [3])])
    assert questions(session, [(SHARD + 1) % 16], at=SOON) == []
    meter.active = False
    session.flush()
    assert questions(session, [SHARD], at=SOON) == []


def test_after_a_lost_session_every_counting_meter_is_asked_for_what_is_newer(session, meter):
    ingest(session, [native(meter, [1, 2]), native(meter, [1, 2, 3], boot=2)])
    assert questions_after_a_lost_session(session, [SHARD]) == [Question(CODE, 2, 4, None)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_open_gaps_are_just_what_is_missing(session, told, chance):
    with session.begin_nested() as example:
        meter = makers.meter(session, code=CODE, shard=SHARD)
        rest = list(told)
        while rest:
            portion = [rest.pop() for _ in range(min(len(rest), chance.randint(1, 6)))]
            ingest(session, [native(meter, portion)])
        missing = {number for one in questions(session, [SHARD], at=SOON) for number in range(one.first, one.last + 1)}
        assert missing == set(range(1, max(told))) - set(told)
        assert session.scalar(text("SELECT count(*) FROM reading")) == len(set(told))
        example.rollback()


def test_a_node_that_left_a_number_out_has_a_gap_until_it_is_born_again(session):
    node = makers.meter(session, code="node-1", shard=shard_of("node-1"), dialect=Dialect.SPARKPLUG)

    def said(kind: str, seq: int, energy_wh: float) -> WireMessage:
        data = speaking.sparkplug_data(AT, seq=seq, watts=1.0, energy_wh=energy_wh)
        birth = speaking.sparkplug_birth(AT, birth=seq, watts=1.0, energy_wh=energy_wh)
        return WireMessage(sparkplug_topic(node.code, kind), data if kind == "NDATA" else birth, AT)

    ingest(session, [said("NBIRTH", 0, 1.0), said("NDATA", 1, 2.0)])
    assert gaps(session) == []
    ingest(session, [said("NDATA", 3, 3.0)])
    ingest(session, [said("NDATA", 5, 4.0)])
    assert gaps(session) == [(0, 0, False)]
    assert questions(session, [node.shard], at=SOON) == []
    ingest(session, [said("NDATA", 6, 5.0), said("NBIRTH", 1, 6.0)])
    assert gaps(session) == [(0, 0, True)]
