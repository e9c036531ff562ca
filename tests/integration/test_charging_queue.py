"""What waits to be charged is noted whoever changes it, found again from nothing, and charged once by however many."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.booking.rules.reservation import ReservationState
from app.kernel.db import db, in_transaction
from app.kernel.interval import Interval
from billing.charging import charge_usage, reconsider_problems
from billing.charging_queue import find_again, nobody_else_settles, uncharged
from billing.models import Charge, SettledSession, Tariff, UnchargedSession, UseSettlement
from devices.models import UsageSession
from devices.rules.evidence import Flag
from tests import makers
from tests.integration.close_world import CloseWorld
from tests.integration.test_settling import AT, DAY, HOUR, World

ROOT = Path(__file__).resolve().parents[2]
STEPS = {"kind": "graduated", "steps": [{"up_to": "2", "rate": "100"}, {"up_to": None, "rate": "50"}]}
WORKER = """
import os, signal, sys
from app import create_app
from app.kernel.db import in_transaction
from billing import charging
from tests.integration.test_settling import AT

def die(session):
    charging.charge_usage(session, until=AT, at=AT, limit=3)
    session.flush()
    os.kill(os.getpid(), signal.SIGKILL)

with create_app(SQLALCHEMY_DATABASE_URI=sys.argv[1], FOLDER=sys.argv[2]).app_context():
    in_transaction(die)
"""


@pytest.fixture
def world(session) -> World:
    return World(session)


def noted(session) -> set[int]:
    session.flush()
    return set(session.scalars(select(UnchargedSession.usage_session_id)))


def found_again(session) -> set[int]:
    """What a list made from nothing says; the one there is stays."""
    with session.begin_nested() as nested:
        find_again(session)
        found = noted(session)
        nested.rollback()
    return found


def charges(session) -> list[tuple[object, ...]]:
    columns = (Charge.kind, Charge.gross_fen, Charge.served_at, Charge.explanation_zh)
    return sorted(map(tuple, session.execute(select(*columns).order_by(Charge.served_at, Charge.position))), key=str)


class Life:
    """Things that happen to use, one after the other and in any order."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.session, self.dice = world, world.session, random.Random(seed)
        self.runs: list[UsageSession] = []
        self.slots = [world.booked(8 * number, 8 * number + 6) for number in range(6)]
        self.deeds = 0

    def one(self) -> None:
        deeds = (self.run, self.run, self.change, self.accept, self.go, self.end, self.cancel, self.price, self.charge)
        self.dice.choice(deeds)()
        self.session.flush()

    def run(self) -> None:
        taken = {(one.started_at - DAY) // HOUR for one in self.runs}
        free = [hour for hour in range(48) if hour not in taken]
        if free:
            hour = self.dice.choice(free)
            slot = self.slots[hour // 8] if hour % 8 < 6 and self.dice.random() < 0.8 else None
            flags = [Flag.GAP.value] if self.dice.random() < 0.3 else []
            self.runs.append(self.world.ran(hour, hour + 0.5, of=slot, flags=flags, open=self.dice.random() < 0.3))

    def change(self) -> None:
        if self.runs:
            self.deeds += 1
            one = self.dice.choice(self.runs)
            one.fingerprint, one.open = f"{one.fingerprint} {self.deeds}", self.dice.random() < 0.2
            one.ended_at = one.started_at + self.dice.choice((20, 40, 60)) * timedelta(minutes=1)
            one.during, one.reviewed_at = Interval(one.started_at, one.ended_at), None

    def accept(self) -> None:
        if self.runs:
            self.dice.choice(self.runs).reviewed_at = AT

    def go(self) -> None:
        if self.runs:
            self.session.delete(self.runs.pop(self.dice.randrange(len(self.runs))))

    def end(self) -> None:
        for one in self.runs:
            if one.open:
                one.open, one.fingerprint = False, f"{one.fingerprint} ended"

    def cancel(self) -> None:
        slot = self.dice.choice(self.slots)
        slot.state, slot.cancelled_at = ReservationState.CANCELLED, DAY

    def price(self) -> None:
        if self.session.scalar(select(Tariff.id)) is None:
            terms = makers.terms(setup_fee="0.00", minimum_charge="0.00", tiers=STEPS)
            del terms["rate"]
            makers.tariff(self.session, of=self.world.equipment, terms=terms)
        reconsider_problems(self.session, platform_id=self.world.platform.id, at=AT)

    def charge(self) -> None:
        charge_usage(self.session, until=AT, at=self.dice.choice((DAY + 10 * HOUR, DAY + 30 * HOUR, AT)))


@pytest.mark.parametrize("seed", range(6))
def test_nothing_that_happens_to_use_is_forgotten_and_all_of_it_can_be_found_and_charged_again(session, world, seed):
    life = Life(world, seed)
    for _ in range(60):
        life.one()
        assert found_again(session) <= noted(session)
    life.price()
    life.end()
    charge_usage(session, until=AT, at=AT)
    assert noted(session) == found_again(session) == set()
    settled = set(session.scalars(select(SettledSession.usage_session_id)))
    assert settled == {one.id for one in life.runs}
    before = charges(session)
    assert before
    session.execute(text("DELETE FROM use_settlement"))
    assert noted(session) == settled
    find_again(session)
    assert charge_usage(session, until=AT, at=AT) == len(settled)
    assert charges(session) == before


def test_a_command_finds_again_what_waits(app, session, world):
    world.ran(60, 61)
    waiting = noted(session)
    assert waiting
    session.execute(text("DELETE FROM uncharged_session"))
    session.commit()
    done = app.test_cli_runner().invoke(args=["billing", "find-uncharged"])
    assert done.exit_code == 0, done.output
    session.expire_all()
    assert noted(session) == waiting


def test_the_list_of_an_older_database_is_filled_when_it_is_upgraded(session, world):
    life = Life(world, 7)
    for _ in range(40):
        life.one()
    world.ran(60, 61)
    expected = found_again(session)
    assert expected
    for statement in (
        "DROP FUNCTION session_waits, unsettled_waits, count_follows CASCADE",
        "DROP TABLE uncharged_session, fee_settlement",
        "DROP INDEX ix_use_settlement_tariff_id_used_from, ix_invoice_issued_on_id",
    ):
        session.execute(text(statement))
    module = importlib.import_module("migrations.versions.0013_charging_queue")
    with Operations.context(MigrationContext.configure(session.connection())):
        module.upgrade()
    assert noted(session) == expected
    world.ran(62, 63)
    assert len(noted(session)) == len(expected) + 1


def test_use_of_a_reservation_comes_back_when_that_is_over_and_blocks_nobody_meanwhile(session, world):
    world.price(setup_fee="0.00", minimum_charge="0.00")
    slot = world.booked(1, 9)
    waiting = [world.ran(1, 2, of=slot), world.ran(3, 4, of=slot)]
    world.ran(0, 0.5)
    at = DAY + 5 * HOUR
    assert charge_usage(session, until=at, at=at, limit=1) == 1
    assert noted(session) == {one.id for one in waiting}
    assert uncharged(session, platform_id=world.platform.id, until=at, at=at) == 0
    assert uncharged(session, platform_id=world.platform.id, until=AT, at=AT) == 2
    slot.state = ReservationState.CANCELLED
    slot.cancelled_at = at
    session.flush()
    assert charge_usage(session, until=at, at=at) == 2


def test_a_worker_that_is_killed_loses_nothing_and_charges_nothing_twice(session, world, database_url, tmp_path):
    world.price()
    slot = world.booked(1, 9)
    ids = {world.ran(hour, hour + 1, of=slot if hour < 8 else None).id for hour in range(1, 17, 2)}
    session.commit()
    command = [sys.executable, "-c", WORKER, database_url, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    assert noted(session) == ids
    assert session.scalar(select(func.count()).select_from(UseSettlement)) == 0
    assert charge_usage(session, until=AT, at=AT) == len(ids)
    assert charge_usage(session, until=AT, at=AT) == 0
    assert session.scalar(select(func.count()).select_from(UseSettlement)) == 5


def test_two_workers_at_once_charge_each_case_once_and_count_its_steps_in_order(app, session, world):
    terms = makers.terms(setup_fee="0.00", minimum_charge="0.00", tiers=STEPS)
    del terms["rate"]
    worlds = [world, World(session)]
    for each in worlds:
        makers.tariff(session, of=each.equipment, terms=terms)
        for number in range(12):
            slot = each.booked(4 * number, 4 * number + 3)
            each.ran(4 * number, 4 * number + 1, of=slot)
            each.ran(4 * number + 2, 4 * number + 3, of=slot)
    session.commit()
    gate, done = threading.Barrier(4), [0] * 4

    def work(number: int) -> None:
        with app.app_context():
            gate.wait()
            for _ in range(60):
                done[number] += in_transaction(lambda own: charge_usage(own, until=AT, at=AT, limit=4))
            db.session.remove()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.rollback()
    while charge_usage(session, until=AT, at=AT):
        pass
    assert noted(session) == set()
    assert session.scalar(select(func.count()).select_from(UseSettlement)) == 24
    total = session.scalar(select(func.sum(Charge.gross_fen)))
    assert total.fen == 2 * (2 * 100_00 + 22 * 50_00)


def test_while_somebody_settles_a_platform_others_leave_it_alone(session, world):
    world.price()
    world.ran(1, 2)
    session.commit()
    assert nobody_else_settles(session, world.platform.id)
    with Session(db.engine) as other:
        assert charge_usage(other, until=AT, at=AT) == 0
    assert charge_usage(session, until=AT, at=AT) == 1


def test_however_many_are_taken_at_once_all_of_them_are_settled(session):
    at = datetime(2026, 8, 3, tzinfo=UTC)
    crowd = CloseWorld(session, firms=3, at=at)
    crowd.use(session, 1100, month=date(2026, 6, 1))
    session.execute(text("UPDATE usage_session SET reviewed_at = :at"), {"at": at})
    assert uncharged(session, platform_id=crowd.platform, until=at, at=at) == 1100
    assert charge_usage(session, until=at, at=at, limit=5000) == 1100
    assert session.scalar(select(func.count()).select_from(SettledSession)) == 1100
