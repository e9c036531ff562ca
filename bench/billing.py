"""What it takes to close a month, against bare SQL of the same run; and the pages of an invoice at that size.

``python -m bench.billing [charges [firms]]``; 1,000,000 charges of 5,000 firms if nothing is said. Two floors:
*reading* is one aggregate of the month by firm and writes nothing; *writing* is bare SQL that stores what a close has
to store (lines, states, frozen sessions, totals) without a check, a portion or a number. The close is between them and
what its checks cost; what limits it is that every charge is written three times over. Charging is measured after the
small month and after the large one: what it costs when there is nothing to do must not grow.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.kernel.db import db, in_transaction
from app.kernel.long_work import advance
from bench.house import house
from billing.charging import charge_usage
from billing.closing import KIND, close_month, close_portion
from billing.documents import invoice_pdf
from billing.models import Invoice
from billing.recognizing import recognize_revenue
from tests.integration.close_world import CloseWorld

CHARGES, FIRMS, PDFS, CHARGED = 1_000_000, 5_000, 500, 2_000
SMALL = 10
"""A month of a tenth goes first, to see whether memory grows with the size."""
MONTHS = (date(2026, 5, 1), date(2026, 6, 1))
LATER = date(2026, 7, 1)
"""What is charged is of a month that is not closed."""
NOW = datetime(2026, 8, 3, tzinfo=UTC)

READING = text(
    "SELECT count(*) FROM (SELECT organization_id, sum(net_fen), sum(tax_fen), sum(gross_fen) FROM charge"
    " WHERE state = 'approved' GROUP BY organization_id) AS firm"
)
WRITING = (
    "CREATE TEMP TABLE bare_invoice ON COMMIT DROP AS SELECT organization_id, row_number() OVER () AS id,"
    " sum(net_fen) AS net, sum(tax_fen) AS tax, sum(gross_fen) AS gross FROM charge WHERE state = 'approved'"
    " GROUP BY organization_id",
    "CREATE TEMP TABLE bare_line (LIKE invoice_line INCLUDING INDEXES) ON COMMIT DROP",
    "INSERT INTO bare_line (id, invoice_id, position, charge_id, description_zh, description_en, explanation_zh,"
    " explanation_en, quantity, unit, unit_price, net_fen, tax_fen, gross_fen, tax_rate, tax_code, category, relation,"
    " no_show_fee, served_on) SELECT charge.id, bare_invoice.id, charge.id, charge.id, equipment.name_zh,"
    " equipment.name_en, explanation_zh, explanation_en, quantity, unit, unit_price, net_fen, tax_fen, gross_fen,"
    " tax_rate, tax_code, category, relation, false, served_at::date"
    " FROM charge JOIN bare_invoice USING (organization_id)"
    " JOIN equipment ON equipment.id = charge.equipment_id WHERE state = 'approved'",
    "UPDATE charge SET state = 'invoiced' WHERE state = 'approved'",
    "UPDATE usage_session SET frozen_at = now() WHERE frozen_at IS NULL",
)

ACCEPTED = text("UPDATE usage_session SET reviewed_at = :at WHERE id > :after")


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def floors() -> tuple[float, float]:
    """Seconds of both floors; what the writing one wrote is rolled back."""
    session = db.session()
    session.execute(READING)
    reading = min(timed(lambda: session.execute(READING).all()) for _ in range(3))
    writing = timed(lambda: [session.execute(text(one)) for one in WRITING])
    session.rollback()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE charge, usage_session, invoice, invoice_line"))
    return reading, writing


def peak_mb() -> float:
    """The most memory this process ever had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def close(world: CloseWorld, month: date) -> float:
    def ask(session: Session) -> None:
        close_month(session, platform_id=world.platform, month=month, carry_over=False, by=world.finance, at=NOW)

    def all_portions() -> None:
        in_transaction(ask)
        while in_transaction(lambda session: advance(session, {KIND: close_portion}, at=NOW)):
            pass

    seconds = timed(all_portions)
    said = db.session.execute(text("SELECT state, said, facts FROM long_work ORDER BY id DESC LIMIT 1")).one()
    assert said.state == "done", said
    db.session.rollback()
    return seconds


def measured(world: CloseWorld, count: int, month: date, first: int) -> None:
    in_transaction(lambda session: world.add(session, count, month=month, first=first))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    reading, writing = floors()
    closing = close(world, month)
    print(
        f"close {count:9} charges {closing:7.1f} s   reading {reading:6.2f} s, {closing / reading:5.1f}×"
        f"   bare writing {writing:6.1f} s, {closing / writing:4.1f}×   peak {peak_mb():4.0f} MB",
        flush=True,
    )
    recognizing = timed(lambda: _all(partial(recognize_revenue, at=NOW, limit=200)))
    print(f"recognize {count:5} lines   {recognizing:7.1f} s   peak {peak_mb():4.0f} MB", flush=True)


def charging(world: CloseWorld, count: int) -> None:
    """A run with nothing to do; then sessions charged as the job does it, against bare SQL of the same rows."""
    charge = partial(charge_usage, until=NOW, at=NOW, limit=200)
    idle = min(timed(lambda: in_transaction(charge)) for _ in range(5))
    after = in_transaction(lambda session: world.use(session, count, month=LATER))
    in_transaction(lambda session: session.execute(ACCEPTED, {"at": NOW, "after": after}).rowcount)
    session = db.session()
    bare = timed(lambda: world.charge(session, after=after))
    session.rollback()
    seconds = timed(lambda: _all(charge))
    print(
        f"charge {count:6} sessions {count / seconds:6.0f} /s   bare {count / bare:6.0f} /s, {seconds / bare:4.1f}×"
        f"   nothing to do {idle * 1000:5.1f} ms   peak {peak_mb():4.0f} MB",
        flush=True,
    )


def _all(work: Callable[[Session], int]) -> None:
    while in_transaction(work):
        pass


def pages(app: Flask, world: CloseWorld) -> None:
    """Server time of the list, an invoice and the end of the month, the best and worst of twenty."""
    client = app.test_client()
    with client.session_transaction() as told:
        told["_user_id"], told["_fresh"] = str(world.finance), True
    one = db.session.scalars(select(Invoice.id).order_by(Invoice.id.desc())).first()
    for address in ("/invoices", "/invoices?page=40", f"/invoices/{one}", "/closing?month=2026-06"):
        db.session.remove()
        answers = [client.get(address) for _ in range(2)]
        assert {answer.status_code for answer in answers} == {200}, address
        times = sorted(timed(lambda address=address: client.get(address)) for _ in range(20))
        print(f"page {address:24} {times[0] * 1000:6.1f} … {times[-1] * 1000:6.1f} ms", flush=True)


def prints() -> None:
    invoices = db.session.scalars(select(Invoice).order_by(Invoice.id).limit(PDFS)).all()
    seconds = timed(lambda: [invoice_pdf(one) for one in invoices])
    lines = sum(len(one.lines) for one in invoices)
    print(f"{len(invoices)} PDFs of {lines} lines {seconds:6.1f} s   peak {peak_mb():4.0f} MB", flush=True)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CHARGES
    firms = int(sys.argv[2]) if len(sys.argv) > 2 else min(FIRMS, count // 4)
    with house() as (app, _, _):
        app.config["RATELIMIT_ENABLED"] = False
        world = in_transaction(lambda session: CloseWorld(session, firms=firms, at=NOW))
        measured(world, count // SMALL, MONTHS[0], 0)
        charging(world, CHARGED)
        measured(world, count, MONTHS[1], count)
        pages(app, world)
        charging(world, CHARGED)
        prints()


if __name__ == "__main__":
    main()
