from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict
from app.kernel.long_work import LongWork, WorkState, advance, ask
from tests import makers

ROOT = Path(__file__).resolve().parents[2]
AT = makers.BEGINNING
SIZE = 40

# A work of its own process: each portion adds one row to a table, says so aloud, and dies in the middle if told to.
WORKER = """
import os, signal, sys
from sqlalchemy import text
from app import create_app
from app.kernel import clock
from app.kernel.db import in_transaction
from app.kernel.long_work import advance

def step(session, work, at):
    session.execute(text("INSERT INTO portion (number) VALUES (:number)"), {"number": work.done})
    if work.done == int(sys.argv[3]):
        session.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    work.progressed(work.done + 1)
    if work.done == work.total:
        work.finish(at=at)

app = create_app(SQLALCHEMY_DATABASE_URI=sys.argv[1], FOLDER=sys.argv[2])
with app.app_context():
    while in_transaction(lambda session: advance(session, {"counting": step}, at=clock.now())):
        pass
"""


@pytest.fixture
def counting(session) -> int:
    """Work of ``SIZE`` portions. A portion that was done twice would be there twice."""
    session.execute(text("CREATE TABLE portion (number int)"))
    work = ask(session, kind="counting", platform_id=None, arguments={}, by=None, at=AT)
    work.progressed(0, total=SIZE)
    session.commit()
    return work.id


def numbers(session) -> list[int]:
    return sorted(session.scalars(text("SELECT number FROM portion")))


def test_a_worker_that_is_killed_amid_portions_changes_nothing_in_the_result(session, counting, database_url, tmp_path):
    def worker(dies_at: int) -> int:
        command = [sys.executable, "-c", WORKER, database_url, str(tmp_path), str(dies_at)]
        return subprocess.run(command, cwd=ROOT, check=False).returncode

    assert worker(17) == -9
    assert numbers(session) == list(range(17))
    session.commit()
    assert worker(-1) == 0
    assert numbers(session) == list(range(SIZE))
    assert session.get(LongWork, counting).state is WorkState.DONE


def test_two_workers_do_each_portion_once_and_other_work_gets_its_turn(app, session, counting):
    other = ask(session, kind="counting", platform_id=None, arguments={}, by=None, at=AT)
    other.progressed(0, total=SIZE)
    session.commit()
    gate = threading.Barrier(4)

    def step(own, work, at):
        own.execute(text("INSERT INTO portion (number) VALUES (:number)"), {"number": work.id * SIZE + work.done})
        work.progressed(work.done + 1)
        if work.done == work.total:
            work.finish(at=at)

    def run(_):
        with app.app_context():
            gate.wait()
            idle = 0
            while idle < 50:  # the other may hold what is left
                idle = 0 if in_transaction(lambda own: advance(own, {"counting": step}, at=AT)) else idle + 1
            db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    session.rollback()
    while advance(session, {"counting": step}, at=AT):
        pass
    assert numbers(session) == sorted(id * SIZE + number for id in (counting, other.id) for number in range(SIZE))


def test_a_portion_that_is_refused_or_breaks_leaves_nothing_and_fails_its_work_alone(session, counting, caplog):
    other = ask(session, kind="refused", platform_id=None, arguments={}, by=None, at=AT)

    def breaks(own, work, at):
        own.execute(text("INSERT INTO portion (number) VALUES (1)"))
        own.execute(text("SELECT 1 / 0"))

    def refuses(own, work, at):
        own.execute(text("INSERT INTO portion (number) VALUES (2)"))
        raise Conflict("还有 %(count)s 笔。", count=3)

    while advance(session, {"counting": breaks, "refused": refuses}, at=AT):
        pass
    session.commit()
    assert numbers(session) == []
    assert set(session.scalars(select(LongWork.state))) == {WorkState.FAILED}
    assert other.said % other.facts == "还有 3 笔。"
    assert "division by zero" in caplog.text
