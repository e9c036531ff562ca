from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.long_work import LongWork, WorkState, advance
from app.kernel.money import Money
from billing.books import first_open_day
from billing.charging import charge_usage
from billing.closing import KIND, close_month, close_portion, month_end, release_late
from billing.invoicing import issue_month
from billing.models import Charge, Invoice, InvoiceLine, PeriodClose
from billing.rules.period import PeriodState, earliest_late, month_back, next_month
from billing.rules.words import ChargeState
from devices.models import UsageSession
from tests.integration.close_world import CloseWorld

ROOT = Path(__file__).resolve().parents[2]
APRIL, MAY, JUNE, JULY = (date(2026, month, 1) for month in (4, 5, 6, 7))
AT = datetime(2026, 8, 3, 1, tzinfo=UTC)
STEPS = {KIND: partial(close_portion, firms=5)}
FIRMS = 40

WORKER = """
import os, signal, sys
from functools import partial
from app import create_app
from app.kernel.db import in_transaction
from app.kernel.long_work import advance
from billing import closing
from tests.integration.test_period_close import AT, STEPS

count = 0
def step(session, work, at):
    global count
    STEPS[closing.KIND](session, work, at)
    count += 1
    if count == int(sys.argv[3]):
        session.flush()
        os.kill(os.getpid(), signal.SIGKILL)

app = create_app(SQLALCHEMY_DATABASE_URI=sys.argv[1], FOLDER=sys.argv[2])
with app.app_context():
    while in_transaction(lambda session: advance(session, {closing.KIND: step}, at=AT)):
        pass
"""


@pytest.fixture
def world(session) -> CloseWorld:
    made = CloseWorld(session, firms=FIRMS, at=AT - timedelta(days=1))
    made.add(session, 200, month=JUNE)
    session.commit()
    return made


def close(session, world, month=JUNE, **given) -> PeriodClose:
    return close_month(
        session,
        platform_id=world.platform,
        month=month,
        **{"carry_over": False, "by": world.finance, "at": AT, **given},
    )


def work_off(session) -> None:
    while advance(session, STEPS, at=AT):
        pass


def closed(session, world, month=JUNE, **given) -> PeriodClose:
    row = close(session, world, month, **given)
    work_off(session)
    session.commit()
    return row


def the_set(session) -> list[tuple[object, ...]]:
    """Everything that makes a set of invoices: who, which number, which lines for which charges and sums."""
    session.rollback()
    lines = func.array_agg(func.concat(InvoiceLine.position, "/", InvoiceLine.charge_id, "/", InvoiceLine.gross_fen))
    rows = session.execute(
        select(Invoice.organization_id, Invoice.year, Invoice.number, Invoice.month, Invoice.gross_fen, lines)
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .group_by(Invoice.id)
        .order_by(Invoice.number)
    )
    return [(*rest, sorted(lines)) for *rest, lines in rows]


def test_a_close_invoices_every_firm_once_and_is_the_same_when_asked_twice(session, world):
    row = close(session, world)
    assert close(session, world).long_work_id == row.long_work_id
    work_off(session)
    session.commit()
    assert row.state is PeriodState.CLOSED
    found = the_set(session)
    assert [number for _, _, number, *_ in found] == list(range(1, FIRMS + 1))
    assert sorted(firm for firm, *_ in found) == world.firms
    assert session.scalar(select(func.sum(InvoiceLine.gross_fen))) == session.scalar(select(func.sum(Charge.gross_fen)))
    assert session.scalar(select(func.count()).where(UsageSession.frozen_at.is_(None))) == 0
    with pytest.raises(Conflict, match="已经月结"):
        close(session, world)
    session.rollback()
    work_off(session)
    assert the_set(session) == found
    work = session.get_one(LongWork, row.long_work_id)
    assert (work.done, work.total, work.state) == (FIRMS, FIRMS, WorkState.DONE)
    assert work.said % work.facts == f"2026-06 已月结：开具 {FIRMS} 张结算单，结转 0 项。"


def test_a_close_that_is_killed_gives_the_same_set_as_one_that_was_not(session, world, database_url, tmp_path):
    close(session, world)
    session.commit()

    def worker(dies_after: int) -> int:
        command = [sys.executable, "-c", WORKER, database_url, str(tmp_path), str(dies_after)]
        return subprocess.run(command, cwd=ROOT, check=False).returncode

    assert worker(4) == -9
    assert len(the_set(session)) == 15
    assert worker(0) == 0
    found = the_set(session)
    firms = sorted(world.firms)
    assert [(firm, number) for firm, _, number, *_ in found] == list(zip(firms, range(1, FIRMS + 1), strict=True))
    charges = {
        firm: [f"{n}/{one.id}/{one.gross_fen.fen}" for n, one in enumerate(own, start=1)]
        for firm in firms
        for own in [
            session.scalars(select(Charge).where(Charge.organization_id == firm).order_by(Charge.served_at)).all()
        ]
    }
    assert {firm: lines for firm, *_, lines in found} == {firm: sorted(lines) for firm, lines in charges.items()}


def test_two_workers_and_a_person_at_once_make_one_set_of_invoices(app, session, world):
    close(session, world)
    session.commit()
    gate = threading.Barrier(3)

    def run(number: int) -> None:
        with app.app_context():
            gate.wait()
            if number == 0:  # issues single firms by hand meanwhile
                for firm in world.firms[-6:]:
                    with suppress(Conflict):  # the close was there before
                        in_transaction(
                            lambda own, firm=firm: issue_month(
                                own, platform_id=world.platform, organization_id=firm, month=JUNE,
                                by=world.finance, at=AT,
                            ).id
                        )  # fmt: skip
            else:
                for _ in range(60):
                    in_transaction(lambda own: advance(own, STEPS, at=AT))
            db.session.remove()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    session.rollback()
    work_off(session)
    found = the_set(session)
    assert [number for _, _, number, *_ in found] == list(range(1, FIRMS + 1))
    assert sorted(firm for firm, *_ in found) == world.firms
    assert session.scalars(select(PeriodClose.state)).one() is PeriodState.CLOSED


def test_what_waits_stops_a_close_unless_it_is_carried_over_and_then_names_its_month_later(session, world):
    world.add(session, 3, month=JUNE, state="proposed", first=1000)
    session.commit()
    with pytest.raises(Conflict, match="还有 3 笔费用待审核"):
        close(session, world)
    session.rollback()
    row = closed(session, world, carry_over=True)
    assert row.state is PeriodState.CLOSED
    world_charges = session.scalars(select(Charge).where(Charge.state == ChargeState.PROPOSED)).all()
    for charge in world_charges:
        charge.state = ChargeState.APPROVED
    world.add(session, 40, month=JULY, first=2000)
    session.commit()
    standing = month_end(session, platform_id=world.platform, month=JULY)
    assert (standing.ready.charges, standing.late.charges) == (43, 3)
    closed(session, world, JULY)
    late = session.scalars(
        select(InvoiceLine).join(Invoice).where(Invoice.month == JULY, InvoiceLine.served_on < JULY)
    ).all()
    assert {line.description_zh for line in late} == {"补 2026-06：示例冻干机 · 机时费"}
    assert {line.description_en for line in late} == {"For 2026-06: Sample freeze dryer · hourly fee"}
    assert len(late) == 3


def test_a_month_waits_for_use_that_is_not_charged_yet_or_says_that_it_is_carried_over(session, world):
    session.execute(
        text("UPDATE usage_session SET fingerprint = 'later' WHERE id IN (SELECT min(id) FROM usage_session)")
    )
    end = session.scalar(select(func.max(UsageSession.ended_at)))
    assert end < clock.local_midnight(JULY)
    session.commit()
    standing = month_end(session, platform_id=world.platform, month=JUNE)
    assert (standing.uncharged, standing.in_the_way) == (1, 1)
    assert month_end(session, platform_id=world.platform, month=MAY).uncharged == 0
    with pytest.raises(Conflict, match="还有 1 次已结束的使用尚未计费"):
        close(session, world)
    session.rollback()
    charge_usage(session, until=AT, at=AT)
    session.commit()
    standing = month_end(session, platform_id=world.platform, month=JUNE)
    assert (standing.uncharged, standing.problems) == (0, 1)
    with pytest.raises(Conflict, match="1 次使用没能计费"):
        close(session, world)
    session.rollback()
    assert closed(session, world, carry_over=True).waiting_count == 1


def test_late_use_of_a_closed_month_is_on_the_next_invoice_and_beyond_the_look_back_it_is_asked_about(session, world):
    """Kill Bill's late usage: of May on July's invoice by itself; of April, further back, when somebody says so."""
    world.add(session, 40, month=APRIL, first=5000)
    world.add(session, 40, month=MAY, first=6000)
    for month in (APRIL, MAY, JUNE):
        closed(session, world, month)
    world.add(session, 1, month=APRIL, first=7000)
    world.add(session, 1, month=MAY, first=8000)
    world.add(session, 40, month=JULY, first=9000)
    session.commit()
    standing = month_end(session, platform_id=world.platform, month=JULY)
    assert (standing.ready.charges, standing.late.charges, standing.too_late.charges) == (41, 1, 1)
    with pytest.raises(Conflict, match="1 笔超出追溯期"):
        close(session, world, JULY)
    session.rollback()
    told = {"platform_id": world.platform, "month": JULY, "by": world.finance, "at": AT}
    with pytest.raises(InvalidInput, match="原因"):
        release_late(session, reason=" ", **told)
    assert release_late(session, reason="电表离线补传", **told) == 1
    closed(session, world, JULY)
    served = session.scalars(select(InvoiceLine.served_on).join(Invoice).where(Invoice.month == JULY)).all()
    assert sorted({day.replace(day=1) for day in served}) == [APRIL, MAY, JULY]


def test_a_firm_whose_readings_changed_is_passed_over_and_keeps_the_month_open(session, world):
    row = close(session, world)
    changed = session.scalars(select(UsageSession).where(UsageSession.organization_id == world.firms[7])).first()
    changed.fingerprint = "later"
    session.commit()
    work_off(session)
    session.commit()
    work = session.get_one(LongWork, row.long_work_id)
    assert (work.state, row.state) == (WorkState.FAILED, PeriodState.CLOSING)
    assert "1 家企业" in work.said % work.facts
    assert session.scalar(select(func.count()).select_from(Invoice)) == FIRMS - 1
    session.execute(
        text("UPDATE settled_session SET session_fingerprint = 'later' WHERE usage_session_id = :id"),
        {"id": changed.id},
    )
    closed(session, world)
    assert session.get_one(PeriodClose, row.id).state is PeriodState.CLOSED
    assert sorted(session.scalars(select(Invoice.number))) == list(range(1, FIRMS + 1))


def test_after_a_close_nothing_of_the_month_is_issued_and_no_document_is_dated_in_it(session, world):
    closed(session, world)
    world.add(session, 1, month=JUNE, first=3000)
    session.commit()
    with pytest.raises(Conflict, match="已月结"):
        issue_month(
            session, platform_id=world.platform, organization_id=world.firms[0], month=JUNE, by=world.finance, at=AT
        )
    session.rollback()
    for change in (
        "UPDATE period_close SET state = 'open', closed_at = NULL",
        "DELETE FROM period_close",
        "INSERT INTO invoice (platform_id, seller_id, organization_id, kind, month, state, year, number, issued_on,"
        " reason, net_fen, tax_fen, gross_fen, created_at) SELECT platform_id, seller_id, organization_id, kind, month,"
        " 'issued', 2026, 999, '2026-08-03', '', 0, 0, 0, now() FROM invoice LIMIT 1",
        "INSERT INTO invoice (platform_id, seller_id, organization_id, kind, month, state, year, number, issued_on,"
        " reason, net_fen, tax_fen, gross_fen, created_at) SELECT platform_id, seller_id, organization_id, kind,"
        " '2026-08-01', 'issued', 2026, 999, '2026-06-30', '', 0, 0, 0, now() FROM invoice LIMIT 1",
    ):
        with pytest.raises(DBAPIError, match="closed"):
            session.execute(text(change))
        session.rollback()


def test_a_line_cannot_be_added_to_an_issued_invoice_even_by_many_at_once(session, world):
    closed(session, world)
    with pytest.raises(DBAPIError, match="issued"):
        session.execute(
            text(
                "INSERT INTO invoice_line (invoice_id, position, credits_line_id, description_zh, description_en,"
                " explanation_zh, explanation_en, quantity, unit, unit_price, net_fen, tax_fen, gross_fen, tax_rate,"
                " tax_code, category, relation, served_on) SELECT invoice_id, 100 + id, id, '', '', '', '', 1, 'h', 1,"
                " 0, 0, 0, 0, '', category, relation, served_on FROM invoice_line LIMIT 5"
            )
        )


def test_months_are_closed_in_order_and_only_when_they_are_over(session, world):
    with pytest.raises(Conflict, match="还没有结束"):
        close(session, world, at=datetime(2026, 6, 30, 15, 59, tzinfo=UTC))
    session.rollback()
    world.add(session, 1, month=MAY, first=4000)
    with pytest.raises(Conflict, match="请先月结 2026-05"):
        close(session, world)


@pytest.mark.parametrize(
    ("closed", "dated", "booked"),
    [
        ("2015-12-01", "2016-01-15", "2016-01-15"),  # N78
        ("2016-01-01", "2016-01-15", "2016-02-01"),  # N79
        ("2016-01-01", "2016-02-02", "2016-02-02"),  # N79
        ("2016-01-01", "2015-11-30", "2016-02-01"),  # what is before a closed month is closed with it
    ],
)
def test_a_document_is_dated_in_no_closed_month(session, world, closed, dated, booked):
    """nucore's cut-offs: ours is the moment of the close, so until it is pressed (N80) the month takes documents."""
    month, pressed = date.fromisoformat(closed), datetime(2016, 2, 2, 8, 45, tzinfo=UTC)
    session.add(PeriodClose(platform_id=world.platform, month=month, state=PeriodState.CLOSED, closed_at=pressed))
    session.flush()
    assert first_open_day(session, world.platform, date.fromisoformat(dated)) == date.fromisoformat(booked)


def test_a_platform_has_one_close_of_a_month_and_one_of_the_same_month_of_another_year(session, world):
    """N81."""
    for month in (date(2025, 6, 1), date(2024, 6, 1), date(2025, 5, 1)):
        session.add(PeriodClose(platform_id=world.platform, month=month))
    session.flush()
    session.add(PeriodClose(platform_id=world.platform, month=date(2025, 6, 1)))
    with pytest.raises(DBAPIError, match="uq_period_close"):
        session.flush()


def test_months_are_counted_over_the_turn_of_the_year():
    assert month_back(date(2026, 1, 31), 1) == date(2025, 12, 1)
    assert next_month(date(2026, 12, 5)) == date(2027, 1, 1)
    assert earliest_late(date(2026, 2, 1)) == date(2025, 12, 1)


def test_times_at_the_edge_of_a_month_count_where_the_facility_stands(session, world):
    first = session.scalars(select(Charge).where(Charge.organization_id == world.firms[0])).first()
    first.served_at = clock.local_midnight(JULY) - timedelta(microseconds=1)
    session.commit()
    assert month_end(session, platform_id=world.platform, month=JUNE).ready.charges == 200
    first.served_at = clock.local_midnight(JULY)
    session.commit()
    standing = month_end(session, platform_id=world.platform, month=JUNE)
    assert standing.ready.charges == 199
    assert standing.ready.gross < Money(200 * 121_000)
