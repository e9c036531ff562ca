"""What operators are told about meters: raised once, continued, cleared by itself, settled by a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from app.identity.models import Notice
from app.identity.rules.notice import NoticeKind
from app.identity.rules.permission import Role
from app.kernel.audit import AuditEntry
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval
from devices.models import (
    DeadLetter,
    DisputedReading,
    LateChange,
    Meter,
    MeterAlert,
    PowerCommand,
    SequenceGap,
    UsageSession,
)
from devices.refusals import BrokerRefusal
from devices.rules.alert import AlertKind, AlertState, Verdict
from devices.rules.evidence import Evidence, Flag
from devices.rules.power import PowerCause
from devices.watching import GRACE, open_alerts, settle, settle_all, watch
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(days=2)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
READING = text(
    "INSERT INTO reading (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, batch_id)"
    " VALUES (:meter, :taken, 1, :seq, int8send(:seq), :received, 1, 5000, 1)"
)
SPEAKING = text(
    "INSERT INTO reading (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, batch_id)"
    " SELECT :meter, taken, 1, number, int8send(number), taken + CAST(:late AS interval), 1, 5000, 1"
    " FROM (SELECT taken, CAST(extract(epoch FROM taken) AS bigint) AS number"
    "       FROM generate_series(CAST(:start AS timestamptz), :last, '20 s') AS taken) AS told"
)


class Ward:
    """A platform with its operator and one meter that speaks every 20 seconds until ``NOW``."""

    def __init__(self, session) -> None:
        self.session = session
        session.execute(text("SELECT make_month('reading', '2026-01-01')"))
        self.operator = makers.organization(session)
        self.person = makers.person(session, (self.operator, Role.OPERATOR))
        makers.person(session, (self.operator, Role.OPERATOR_FINANCE))
        self.platform = makers.platform(session, operator=self.operator)
        self.equipment = makers.equipment(session, of=self.platform)
        self.meter = makers.meter(session, of=self.equipment)
        self.speaks(NOW - 10 * MINUTE, NOW)

    def speaks(self, start: datetime, end: datetime, *, late: timedelta = SECOND, meter: Meter | None = None) -> None:
        told = {"meter": (meter or self.meter).id, "start": start, "last": end - SECOND / 2, "late": late}
        self.session.execute(SPEAKING, told)

    def alerts(self, *states: AlertState) -> list[MeterAlert]:
        query = select(MeterAlert).order_by(MeterAlert.id).execution_options(populate_existing=True)
        return [one for one in self.session.scalars(query) if not states or one.state in states]

    def open(self) -> list[tuple[AlertKind, str, int]]:
        return [(one.kind, one.key, one.times) for one in self.alerts(AlertState.OPEN)]

    def settle(self, state: AlertState, at: datetime, **given) -> MeterAlert:
        (one,) = self.alerts(AlertState.OPEN)
        settle(self.session, one.id, state=state, reason="示例原因", by=self.person.id, at=at, **given)
        return one

    def letter(self, reason: str, at: datetime, *, meter: bool = True, topic: str = "m/1/mt/data") -> None:
        row = DeadLetter(
            meter_id=self.meter.id if meter else None, topic=topic, payload=b"?", reason=reason, detail="why",
            received_at=at,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()

    def gap(self, at: datetime, first: int = 3, last: int = 5) -> SequenceGap:
        row = SequenceGap(meter_id=self.meter.id, boot=7, first=first, last=last, found_at=at, times_asked=2)
        self.session.add(row)
        self.session.flush()
        return row

    def disputed(self, at: datetime, seq: int = 1, boot: int = 1) -> None:
        row = DisputedReading(
            meter_id=self.meter.id, boot=boot, seq=seq, content_hash=f"{at}{seq}".encode(), taken_at=at,
            topic="m/1/mt/data", payload=b"{}", received_at=at,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()

    def used(self, **given) -> UsageSession:
        when = Interval(NOW - 3 * HOUR, NOW - 2 * HOUR)
        row = UsageSession(
            **{
                "meter_id": self.meter.id, "equipment_id": self.equipment.id, "started_at": when.start,
                "ended_at": when.end, "during": when, "running_s": 60, "energy_mwh": 1, "evidence": Evidence.METERED,
                "readings_count": 1, "readings_digest": "d", "profile_id": self.meter.profiles[0].id,
                "rule_version": 1, "fingerprint": "f", "derived_at": NOW, "flags": [],
            }
            | given
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        return row

    def late(self) -> LateChange:
        row = LateChange(meter_id=self.meter.id, fingerprint="g", proposal={}, noted_at=NOW - HOUR)
        self.session.add(row)
        self.session.flush()
        return row

    def command(self, **given) -> PowerCommand:
        row = PowerCommand(
            **{"meter_id": self.meter.id, "on": True, "cause": PowerCause.CHECKED_IN, "asked_at": NOW - 5 * MINUTE}
            | given
        )
        self.session.add(row)
        self.session.flush()
        return row


@pytest.fixture
def ward(session) -> Ward:
    return Ward(session)


def test_a_well_meter_raises_nothing(session, ward):
    assert watch(session, at=NOW) == 0
    assert ward.alerts() == []
    session.commit()


def drift(ward: Ward, lag: timedelta) -> None:
    other = makers.meter(ward.session, of=ward.equipment)
    ward.speaks(NOW - HOUR - lag, NOW - lag, late=lag, meter=other)


CAUSES: dict[str, tuple[Callable[[Ward], object], tuple[AlertKind, int]]] = {
    "never spoke": (lambda ward: makers.meter(ward.session, of=ward.equipment), (AlertKind.SILENT, 1)),
    "gap": (lambda ward: ward.gap(NOW - 2 * MINUTE), (AlertKind.GAP, 2)),
    "behind": (lambda ward: drift(ward, 2 * MINUTE), (AlertKind.CLOCK_DRIFT, 1)),
    "ahead": (lambda ward: drift(ward, -2 * MINUTE), (AlertKind.CLOCK_DRIFT, 1)),
    "far ahead": (lambda ward: ward.letter("clock_ahead", NOW - HOUR), (AlertKind.CLOCK_DRIFT, 1)),
    "garbage": (lambda ward: ward.letter("not_json", NOW - HOUR), (AlertKind.UNREADABLE, 1)),
    "nobody's": (lambda ward: ward.letter("unknown_meter", NOW - HOUR, meter=False), (AlertKind.UNREADABLE, 1)),
    "bad signature": (lambda ward: ward.letter("bad_signature", NOW - HOUR), (AlertKind.FORGED, 1)),
    "unsigned": (lambda ward: ward.letter("unsigned", NOW - HOUR), (AlertKind.FORGED, 1)),
    "dispute": (lambda ward: ward.disputed(NOW - HOUR), (AlertKind.DISPUTE, 1)),
    "counter": (
        lambda ward: ward.used(energy_estimated=True, flags=[Flag.ENERGY_ESTIMATED]),
        (AlertKind.COUNTER, 1),
    ),
    "doubtful": (lambda ward: ward.used(flags=[Flag.GAP]), (AlertKind.DOUBTFUL_SESSION, 1)),
    "late": (lambda ward: ward.late(), (AlertKind.LATE_CHANGE, 1)),
    "tried often": (
        lambda ward: ward.command(tries=3, asked_at=NOW - 10 * SECOND), (AlertKind.UNCONFIRMED_COMMAND, 3)
    ),
    "long unheard": (lambda ward: ward.command(), (AlertKind.UNCONFIRMED_COMMAND, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_each_cause_is_raised_once_and_watching_twice_changes_nothing(session, ward, name):
    cause, expected = CAUSES[name]
    cause(ward)
    assert watch(session, at=NOW) == 1
    (one,) = ward.alerts()
    assert ((one.kind, one.times), one.state, one.raised_at) == (expected, AlertState.OPEN, NOW)
    before = session.execute(select(MeterAlert.__table__)).all()
    assert watch(session, at=NOW) == 0
    assert watch(session, at=NOW + SECOND) == 0
    assert session.execute(select(MeterAlert.__table__)).all() == before
    session.commit()


def test_a_meter_that_falls_silent_is_told_and_its_voice_clears_it(session, ward):
    patience = timedelta(seconds=300)  # the profile's max_gap is longer than three of its pauses
    assert watch(session, at=NOW + patience - MINUTE) == 0
    assert watch(session, at=NOW + patience + MINUTE) == 1
    assert ward.open() == [(AlertKind.SILENT, "", 1)]
    ward.speaks(NOW + 10 * MINUTE, NOW + 11 * MINUTE)
    assert watch(session, at=NOW + 11 * MINUTE) == 1
    (one,) = ward.alerts()
    assert (one.state, one.settled_at, one.settled_by) == (AlertState.CLEARED, NOW + 11 * MINUTE, None)
    session.commit()


def test_a_meter_that_seldom_speaks_is_given_three_of_its_pauses(session, ward):
    rare = makers.meter(session, of=ward.equipment, code="rare")
    for hour in range(5, 0, -1):
        ward.speaks(NOW - hour * HOUR, NOW - hour * HOUR + SECOND, meter=rare)
    ward.meter.active = False
    session.flush()
    assert watch(session, at=NOW + HOUR + 50 * MINUTE) == 0
    assert watch(session, at=NOW + 2 * HOUR + MINUTE) == 1
    session.commit()


def test_a_meter_that_sends_many_readings_at_once_has_no_slow_clock(session, ward):
    """Its oldest reading waited five minutes; the newest tells the clock."""
    bundles = makers.meter(session, of=ward.equipment)
    for number in range(4):
        start = NOW - (20 - 5 * number) * MINUTE
        for second in range(0, 300, 15):
            told = {"meter": bundles.id, "taken": start + second * SECOND, "seq": 300 * number + second + 1}
            session.execute(READING, told | {"received": start + 5 * MINUTE})
    assert watch(session, at=NOW) == 0
    session.commit()


def test_times_grow_with_what_is_new_alone(session, ward):
    for minute in (3, 2):
        ward.letter("not_json", NOW - minute * MINUTE)
    ward.letter("out_of_range", NOW - MINUTE)
    watch(session, at=NOW)
    assert ward.open() == [(AlertKind.UNREADABLE, "not_json", 2), (AlertKind.UNREADABLE, "out_of_range", 1)]
    ward.letter("not_json", NOW + MINUTE)
    watch(session, at=NOW + 2 * MINUTE)
    one, _ = ward.alerts()
    assert (one.times, one.seen_at, one.facts["reason"], one.facts["detail"]) == (
        3, NOW + MINUTE, "not_json", "why",
    )  # fmt: skip
    ward.speaks(NOW, NOW + DAY)
    assert watch(session, at=NOW + DAY + 30 * SECOND) == 1  # the last out_of_range is a day old
    assert watch(session, at=NOW + DAY + 2 * MINUTE) == 1
    assert ward.open() == []
    session.commit()


def test_messages_of_unknown_devices_are_grouped_by_the_code_in_their_topic(session, ward):
    for topic in ("m/3/ghost/data", "m/3/ghost/status", "spBv1.0/ps3/NDATA/node", "nonsense"):
        ward.letter("unknown_meter", NOW - MINUTE, meter=False, topic=topic)
    watch(session, at=NOW)
    assert sorted(ward.open()) == [
        (AlertKind.UNREADABLE, "ghost", 2), (AlertKind.UNREADABLE, "node", 1), (AlertKind.UNREADABLE, "nonsense", 1),
    ]  # fmt: skip
    assert open_alerts(session, [ward.platform.id]) == 0
    session.commit()


def test_what_the_broker_refused_is_counted_once(session, ward):
    mine = [BrokerRefusal(NOW - n * MINUTE, "dev", ward.meter.code, "m/2/other/data") for n in (3, 2)]
    strange = [BrokerRefusal(NOW - MINUTE, "203.0.113.9", "", "connect")]
    watch(session, at=NOW, refusals=mine + strange)
    assert sorted(ward.open()) == [
        (AlertKind.FORGED, "broker connect 203.0.113.9", 1), (AlertKind.FORGED, "broker topic", 2),
    ]  # fmt: skip
    assert watch(session, at=NOW, refusals=mine + strange) == 0
    assert watch(session, at=NOW + SECOND) == 0
    again = BrokerRefusal(NOW, "dev", ward.meter.code, "m/2/other/data")
    watch(session, at=NOW + SECOND, refusals=[*mine, again])
    assert (AlertKind.FORGED, "broker topic", 3) in ward.open()
    ward.speaks(NOW, NOW + DAY)
    assert watch(session, at=NOW + DAY) == 2
    assert ward.open() == []
    session.commit()


def test_gaps_of_one_boot_are_one_alert_that_filling_clears(session, ward):
    first = ward.gap(NOW - 3 * MINUTE)
    second = ward.gap(NOW - 2 * MINUTE, 10, 10)
    ward.gap(NOW - 30 * SECOND, 20, 30)  # may still come
    watch(session, at=NOW)
    (one,) = ward.alerts()
    assert (one.kind, one.key) == (AlertKind.GAP, "7")
    told = {"boot": 7, "first": 3, "last": 10, "gaps": 2, "missing": 4, "asked": 2}
    assert one.facts.items() >= told.items()
    session.execute(update(SequenceGap).values(closed_at=NOW))
    session.refresh(first)
    session.refresh(second)
    assert watch(session, at=NOW + SECOND) == 1
    assert ward.open() == []
    session.commit()


def test_disputes_never_clear_by_themselves_and_a_verdict_is_kept(session, ward):
    for seq in (1, 2):
        ward.disputed(NOW - MINUTE, seq)
    watch(session, at=NOW)
    ward.disputed(NOW, 3)
    ward.disputed(NOW, 3, boot=2)
    ward.speaks(NOW, NOW + 3 * DAY)
    watch(session, at=NOW + 3 * DAY)
    assert ward.open() == [(AlertKind.DISPUTE, "1", 3), (AlertKind.DISPUTE, "2", 1)]
    first, _ = ward.alerts()
    settle(
        session, first.id, state=AlertState.RESOLVED, reason="表内重复编号", by=ward.person.id, at=NOW + 3 * DAY,
        verdict=Verdict.OTHER,
    )  # fmt: skip
    assert watch(session, at=NOW + 3 * DAY) == 0
    assert first.facts["verdict"] == "other"
    deed = session.scalars(select(AuditEntry).where(AuditEntry.subject == "meter_alert")).one()
    assert (deed.deed, deed.detail["verdict"], deed.detail["reason"]) == ("alert resolved", "other", "表内重复编号")
    ward.disputed(NOW + 3 * DAY, 4)
    assert watch(session, at=NOW + 3 * DAY) == 1
    assert ward.alerts()[-1].times == 1
    session.commit()


@pytest.mark.parametrize("end", ["reviewed", "gone", "flags gone"])
def test_a_doubtful_session_is_told_until_a_person_looked_at_it(session, ward, end):
    one = ward.used(flags=[Flag.GAP], energy_estimated=True)
    assert watch(session, at=NOW) == 2
    session.execute(text("SELECT make_month('reading', '2026-02-01')"))
    ward.speaks(NOW + 40 * DAY - HOUR, NOW + 40 * DAY)
    assert watch(session, at=NOW + 40 * DAY) == 0  # long ago, and still nobody did
    match end:
        case "reviewed":
            one.reviewed_at, one.reviewed_by = NOW, ward.person.id
        case "gone":
            session.delete(one)
        case _:
            one.flags, one.energy_estimated = [], False
    session.flush()
    assert watch(session, at=NOW + 40 * DAY) == 2
    assert ward.open() == []
    session.commit()


@pytest.mark.parametrize("name", CAUSES)
def test_a_waived_alert_is_not_raised_while_its_cause_lasts_unchanged(session, ward, name):
    CAUSES[name][0](ward)
    watch(session, at=NOW)
    one = ward.settle(AlertState.WAIVED, NOW)
    for later in (SECOND, 2 * GRACE):
        ward.speaks(NOW + later - 10 * MINUTE, NOW + later)
        watch(session, at=NOW + later)
        assert [found.state for found in ward.alerts() if found.kind is one.kind] == [AlertState.WAIVED]
    assert (one.reason, one.settled_by) == ("示例原因", ward.person.id)
    session.commit()


def test_garbage_that_goes_on_stays_waived_and_comes_again_after_a_quiet_day(session, ward):
    ward.letter("not_json", NOW - MINUTE)
    watch(session, at=NOW)
    ward.settle(AlertState.WAIVED, NOW)
    at = NOW
    for _ in range(3):
        at += DAY - HOUR
        ward.speaks(at - 10 * MINUTE, at)
        ward.letter("not_json", at - MINUTE)
        assert watch(session, at=at) == 0
    at += DAY + HOUR
    ward.speaks(at - 10 * MINUTE, at)
    ward.letter("not_json", at)
    assert watch(session, at=at) == 1
    assert ward.open() == [(AlertKind.UNREADABLE, "not_json", 1)]
    session.commit()


def test_another_silence_of_a_waived_meter_is_told(session, ward):
    watch(session, at=NOW + HOUR)
    ward.settle(AlertState.WAIVED, NOW + HOUR)
    ward.speaks(NOW + 2 * HOUR, NOW + 3 * HOUR)
    assert watch(session, at=NOW + 3 * HOUR) == 0
    assert watch(session, at=NOW + 4 * HOUR) == 1
    session.commit()


def test_a_resolved_alert_comes_again_if_its_cause_lasts_on(session, ward):
    ward.command()
    watch(session, at=NOW)
    ward.settle(AlertState.RESOLVED, NOW)
    ward.speaks(NOW, NOW + 2 * GRACE)
    assert watch(session, at=NOW + GRACE - MINUTE) == 0
    assert watch(session, at=NOW + GRACE + MINUTE) == 1
    assert [one.state for one in ward.alerts()] == [AlertState.RESOLVED, AlertState.OPEN]
    session.commit()


def test_a_resolved_alert_comes_again_with_a_new_occurrence_and_counts_that_alone(session, ward):
    ward.letter("bad_signature", NOW - MINUTE)
    watch(session, at=NOW)
    ward.settle(AlertState.RESOLVED, NOW)
    ward.speaks(NOW, NOW + 3 * HOUR)
    assert watch(session, at=NOW + 2 * HOUR) == 0
    ward.letter("bad_signature", NOW + 2 * HOUR)
    assert watch(session, at=NOW + 3 * HOUR) == 1
    assert ward.open() == [(AlertKind.FORGED, "bad_signature", 1)]
    session.commit()


def test_many_are_settled_at_once_and_only_those_that_are_open(session, ward):
    for reason in ("not_json", "out_of_range", "unsigned"):
        ward.letter(reason, NOW - MINUTE)
    watch(session, at=NOW)
    ids = [one.id for one in ward.alerts()]
    told = {"state": AlertState.WAIVED, "by": ward.person.id, "at": NOW}
    with pytest.raises(InvalidInput):
        settle_all(session, ids, reason="  ", **told)
    with pytest.raises(InvalidInput):
        settle_all(session, ids, reason="x", **told | {"state": AlertState.CLEARED})
    assert settle_all(session, ids[:2], reason="试验", **told) == 2
    assert settle_all(session, ids, reason="试验", **told) == 1
    with pytest.raises(Conflict):
        settle(session, ids[0], reason="x", **told)
    with pytest.raises(NotFound):
        settle(session, ids[-1] + 1, reason="x", **told)
    session.commit()


def notices(session) -> list[tuple[int, str, str]]:
    query = select(Notice).where(Notice.kind == NoticeKind.METERING).order_by(Notice.id)
    return [(one.person_id, one.path, one.key) for one in session.scalars(query)]


def test_operators_are_told_once_of_what_cannot_wait(session, ward):
    ward.letter("not_json", NOW - MINUTE)  # waits in the queue
    ward.disputed(NOW - MINUTE)
    watch(session, at=NOW)
    watch(session, at=NOW + SECOND)
    (dispute,) = [one for one in ward.alerts() if one.kind is AlertKind.DISPUTE]
    assert notices(session) == [(ward.person.id, f"/alerts/{dispute.id}", f"alert:{dispute.id}")]
    session.commit()


def test_of_many_at_once_operators_are_told_that_there_are_many(session, ward):
    for _ in range(4):
        makers.meter(session, of=ward.equipment)
    makers.meter(session)  # another platform's
    watch(session, at=NOW)
    assert [(person, path) for person, path, _ in notices(session)] == [(ward.person.id, "/alerts")]
    session.commit()
