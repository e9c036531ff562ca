"""Readings a second that the listener stores from a real broker, against bare COPY in the same run.

Storing is O(batch): no statement runs per reading.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flask_migrate
import psycopg

from app import create_app
from app.kernel.db import db, transaction
from app.kernel.postgres import PrivatePostgres
from app.kernel.secrets import key_for
from devices.broker import LISTENER, PrivateBroker, listener_account, meter_account, meter_password
from devices.client import Publisher
from devices.rules.topic import shard_of, topic_of
from devices.simulator import native_message
from tests import makers
from tests.integration.test_private_broker import brokers

CODE = "bench-meter"
RUNS = ((1, 10_000), (10, 50_000), (100, 100_000))
START = datetime(2026, 1, 2, tzinfo=UTC)


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        with PrivatePostgres(folder / "postgres") as server:
            app = create_app(SQLALCHEMY_DATABASE_URI=server.url, FOLDER=folder)
            with app.app_context():
                flask_migrate.upgrade()
                with transaction() as session:
                    makers.meter(session, code=CODE, shard=shard_of(CODE))
                db.engine.dispose()
            key = key_for("meters", master=app.config["MASTER_KEY"])
            password = meter_password(key, CODE, 1)
            accounts = [
                listener_account(meter_password(key, LISTENER, 1)), meter_account(CODE, shard_of(CODE), password),
            ]  # fmt: skip
            with (
                psycopg.connect(
                    host=str(server.sockets), user="pilotshare", dbname="pilotshare", autocommit=True
                ) as connection,
                PrivateBroker(folder / "broker", port=brokers._free_port()) as broker,
            ):
                broker.start(accounts)
                environment = os.environ | {
                    "DATABASE_URL": server.url, "MQTT_URL": broker.url, "PILOTSHARE_FOLDER": str(folder),
                }  # fmt: skip
                with subprocess.Popen(
                    [sys.executable, "-m", "flask", "--app", "app", "listen"], env=environment,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                ) as listener:  # fmt: skip
                    try:
                        floor = copied(connection)
                        print(f"readings/s  bare COPY {floor:9.0f}   broker {broker.kind}")
                        wake(connection, broker.url, password)
                        for boot, (batch, readings) in enumerate(RUNS, start=2):
                            reached = stored(
                                connection, broker.url, password, boot=boot, batch=batch, readings=readings
                            )
                            print(f"  {batch:4} a message   {reached:9.0f}   ratio {reached / floor:.3f}")
                    finally:
                        listener.terminate()


def copied(connection: psycopg.Connection) -> float:
    """The same columns and index, filled with COPY by one connection: the floor."""
    connection.execute("SELECT make_month('reading', '2026-01-01')")
    connection.execute("CREATE TABLE floor (LIKE reading_2026_01 INCLUDING INDEXES)")
    rows = 100_000
    began = time.perf_counter()
    with connection.cursor().copy(
        "COPY floor (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh,"
        " backfill) FROM STDIN"
    ) as copy:
        for number in range(rows):
            at = START + timedelta(seconds=number)
            copy.write_row((1, at, 1, number, number.to_bytes(16), at, number, 1000, number, False))
    return rows / (time.perf_counter() - began)


def wake(connection: psycopg.Connection, url: str, password: str) -> None:
    """Until the first reading is stored the listener was only starting."""
    publisher = Publisher(url, username=CODE, password=password)
    publisher.wait_until_connected()
    while not connection.execute("SELECT count(*) FROM reading").fetchone()[0]:
        publisher.publish(topic_of(CODE, "data"), native_message(1, [(1, START, 1.0, 1.0)]))
        time.sleep(0.2)
    publisher.close()


def stored(connection: psycopg.Connection, url: str, password: str, *, boot: int, batch: int, readings: int) -> float:
    messages = [
        native_message(
            boot, [(seq, START + timedelta(seconds=seq), 100.0, float(seq)) for seq in range(first, first + batch)]
        )
        for first in range(1, readings + 1, batch)
    ]
    publisher = Publisher(url, username=CODE, password=password)
    publisher.wait_until_connected()
    began = time.perf_counter()
    for message in messages:
        publisher.publish(topic_of(CODE, "data"), message)
        publisher.drain(most_left=1000)
    while connection.execute("SELECT count(*) FROM reading WHERE boot = %s", (boot,)).fetchone()[0] < readings:
        time.sleep(0.02)
    took = time.perf_counter() - began
    publisher.close()
    return readings / took


if __name__ == "__main__":
    main()
