"""``flask work``: one leader runs the timetable, the others stand by."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

import click
import psycopg
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask, current_app

from app import jobs
from app.kernel.db import db

LEADER = 7203  # the advisory lock that makes a worker the leader
STAND_BY_S = 1.0

log = logging.getLogger("pilotshare.work")


@click.command("work")
def work() -> None:
    """Run the timetable. Several may be started: one leads, the others wait for it to end."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    stop = threading.Event()
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, lambda *_: stop.set())
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as lock:
        while not _leads(lock):
            if stop.wait(STAND_BY_S):
                return
        log.info("leading")
        scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
        for job in jobs.TIMETABLE:
            scheduler.add_job(
                jobs.run, "interval", args=(app, job), seconds=job.every.total_seconds(), id=job.name,
                next_run_time=jobs.clock.now(), misfire_grace_time=None,
            )  # fmt: skip
        scheduler.start()
        try:
            while not stop.wait(STAND_BY_S):
                lock.execute("SELECT 1")  # a leader that lost this connection lost its lock: end and be started anew
        finally:
            scheduler.shutdown(wait=True)


def _leads(lock: psycopg.Connection[Any]) -> bool:
    row = lock.execute("SELECT pg_try_advisory_lock(%s)", (LEADER,)).fetchone()
    return row is not None and bool(row[0])
