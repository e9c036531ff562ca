"""A real listener process, a real broker, and what they go through."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select, text

from app.kernel.db import db
from app.kernel.secrets import key_for
from devices.accounts import LISTENER, listener_account, meter_account, meter_password
from devices.broker import PrivateBroker
from devices.client import Publisher
from devices.models import DeadLetter, DisputedReading
from devices.rules.topic import shard_of, topic_of
from devices.simulating.device import Outbox
from devices.simulating.speaking import native_message
from tests import makers
from tests.conftest import _dsn
from tests.integration.test_private_broker import KINDS, brokers
from tests.makers import BEGINNING

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 180
CODE = "crash-meter"


class House:
    """The broker and the address of everything, for one test."""

    def __init__(self, app, tmp_path: Path, kind: str) -> None:
        self.app = app
        self.key = key_for("meters", master=app.config["MASTER_KEY"])
        self.password = meter_password(self.key, CODE, 1)
        self.accounts = [
            listener_account(meter_password(self.key, LISTENER, 1)),
            meter_account(CODE, shard_of(CODE), self.password),
        ]
        self.broker = PrivateBroker(tmp_path / "broker", port=brokers._free_port(), prefer=kind)
        self.broker.start(self.accounts)
        self.log = tmp_path / "listen.log"
        self.environment = os.environ | {
            "DATABASE_URL": db.engine.url.render_as_string(hide_password=False),
            "MQTT_URL": self.broker.url,
            "PILOTSHARE_FOLDER": str(app.config["FOLDER"]),
        }

    @contextmanager
    def listening(self) -> Iterator[subprocess.Popen]:
        with (
            self.log.open("ab") as log,
            subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "app", "listen"], cwd=ROOT, env=self.environment,
                stdout=log, stderr=log,
            ) as process,
        ):  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def count(self, what: str = "SELECT count(*) FROM reading") -> int:
        with db.engine.connect() as connection:
            return connection.execute(text(what)).scalar_one()


@pytest.fixture(params=KINDS)
def house(request, app, session, tmp_path) -> Iterator[House]:
    makers.meter(session, code=CODE, shard=shard_of(CODE))
    session.commit()
    made = House(app, tmp_path, request.param)
    yield made
    made.broker.stop()


def wait_for(true: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    pause, end = threading.Event(), time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, "waited too long"
        pause.wait(0.05)


def test_ten_thousand_readings_survive_five_crashes_of_the_listener_and_one_of_the_broker(house):
    outbox = Outbox(boot=1)
    start = datetime.now(UTC) - timedelta(hours=12)
    for number in range(10_000):
        outbox.add(start + timedelta(seconds=number), 100.0, number)
    publisher = Publisher(
        house.broker.url,
        username=CODE,
        password=house.password,
        listen_to=[topic_of(CODE, "ack")],
        hear=lambda _, payload: outbox.acknowledged(payload),
    )
    done = threading.Event()

    def device() -> None:
        """Send what is due again and again, a few messages at a time, as a slow device would."""
        while not done.is_set():
            if publisher.connected:
                for _, portion, _ in outbox.due(time.monotonic(), again_after_s=3)[:40]:
                    for part in range(0, len(portion), 10):
                        publisher.publish(topic_of(CODE, "data"), native_message(1, portion[part : part + 10]))
            done.wait(0.2)

    thread = threading.Thread(target=device)
    thread.start()
    try:
        for crash in range(6):
            with house.listening() as listener:
                before = house.count()
                if crash < 5:
                    wait_for(lambda before=before: house.count() > before or not outbox.waiting)
                    if crash == 2:
                        house.broker.kill()
                        house.broker.start(house.accounts)
                    listener.kill()
                else:
                    wait_for(lambda: not outbox.waiting)
    finally:
        done.set()
        thread.join()
        publisher.close()
    assert house.count() == 10_000
    assert house.count("SELECT count(DISTINCT (meter_id, boot, seq)) FROM reading") == 10_000
    assert house.count("SELECT count(*) FROM disputed_reading") == 0


def garbage(chance: random.Random) -> tuple[str, bytes]:
    own = topic_of(CODE, "data")
    good = native_message(1, [(1, datetime(2026, 1, 1, tzinfo=UTC), 100.0, 1.0)])
    return chance.choice(
        [
            lambda: (own, chance.randbytes(chance.randint(0, 400))),
            lambda: (own, good[: chance.randint(0, len(good) - 1)]),
            lambda: (own, good.replace(b'"v":1', b'"v":9')),
            lambda: (own, good.replace(b'"seq":1', b'"seq":"one"')),
            lambda: (own, good.replace(b"100.0", b"-5")),
            lambda: (own, b'{"v":1,"boot":1,"readings":[]}'),
            lambda: (own, b'{"v":1,"boot":1,"readings":' + b" " * 270_000 + b"[]}"),
            lambda: (topic_of(CODE, "wrong/place"), good),
            lambda: (topic_of("somebody", "data"), good),
            lambda: (f"m/{shard_of(CODE)}", b"too short"),
        ]
    )()


def test_a_thousand_unreadable_messages_are_kept_aside_and_later_readings_stored(house, session):
    chance = random.Random(7)
    with house.listening() as listener:
        ear = Publisher(house.broker.url, username=LISTENER, password=meter_password(house.key, LISTENER, 1))
        assert ear.wait_until_connected()
        publisher = Publisher(house.broker.url, username=CODE, password=house.password)
        assert publisher.wait_until_connected()
        good = native_message(1, [(5, datetime.now(UTC), 100.0, 1.0)])
        # The listener's own account may write anywhere: nothing is stopped before it reaches the listener.
        wait_for(lambda: (ear.publish(topic_of(CODE, "data"), good), ear.drain(), house.count() > 0)[-1])
        for _ in range(1000):
            ear.publish(*garbage(chance))
            ear.drain(most_left=50)
        wait_for(lambda: house.count("SELECT count(*) FROM dead_letter") >= 1000)
        later = native_message(1, [(6, datetime.now(UTC), 100.0, 1.0)])
        wait_for(lambda: (publisher.publish(topic_of(CODE, "data"), later), house.count() == 2)[-1])
        assert listener.poll() is None
        ear.close()
        publisher.close()
    assert session.scalar(select(func.count()).select_from(DeadLetter).where(DeadLetter.detail == "")) == 0
    assert len(set(session.scalars(select(DeadLetter.reason)))) >= 6
    assert session.scalar(select(func.count()).select_from(DisputedReading)) == 0


@contextmanager
def device(house: House) -> Iterator[Callable[..., None]]:
    """Tells one reading after the other until the listener has subscribed, then as asked."""
    publisher = Publisher(house.broker.url, username=CODE, password=house.password)
    assert publisher.wait_until_connected()

    def tell(*seqs: int) -> None:
        for seq in seqs:
            publisher.publish(topic_of(CODE, "data"), native_message(1, [(seq, BEGINNING, 100.0, seq)]))
        assert publisher.drain()

    wait_for(lambda: (tell(1), house.count() > 0)[-1])
    yield tell
    publisher.close()


def test_what_the_database_refuses_is_kept_aside_alone(house):
    with house.listening() as listener, device(house) as tell:
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE reading ADD CONSTRAINT unlucky CHECK (seq <> 13)"))
        tell(12, 13, 14)
        wait_for(lambda: house.count() == 3)
        wait_for(lambda: house.count("SELECT count(*) FROM dead_letter") == 1)
        assert "unlucky" in house.count("SELECT detail FROM dead_letter WHERE reason = 'not_storable'")
        assert listener.poll() is None


def test_readings_that_come_while_the_database_is_away_are_stored_when_it_is_back(house, postgres):
    name = db.engine.url.database
    with house.listening() as listener, device(house) as tell:
        db.engine.dispose()
        with psycopg.connect(_dsn(postgres, "postgres"), autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            tell(*range(2, 50))
            wait_for(lambda: "the database does not answer" in house.log.read_text())
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        wait_for(lambda: house.count() == 49)
        assert listener.poll() is None
