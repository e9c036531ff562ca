"""Readings a second that the listener stores from a real broker, once and acknowledged after COMMIT.

Two floors of the same run: stock paho that receives and stores nothing, and COPY inside the server of the same
rows into a table with the same key and index. Storing is O(batch): no statement runs per reading.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

import paho.mqtt.client as mqtt
import psycopg

from app.kernel.db import transaction
from app.kernel.secrets import key_for
from bench.house import house
from devices.accounts import LISTENER, listener_account, meter_account, meter_password
from devices.broker import PrivateBroker
from devices.rules.topic import SHARDS, shard_of, topics_of_shard
from tests import makers
from tests.web_server import free_port

CODES = ("bench-0", "bench-1")
RUNS = ((1, 60_000), (10, 200_000), (20, 300_000), (100, 300_000))


class Bench:
    """A database, a broker and two meters in different shards."""

    def __init__(self, opened: ExitStack) -> None:
        app, server, folder = opened.enter_context(house())
        with transaction() as session:
            for code in CODES:
                makers.meter(session, code=code, shard=shard_of(code))
        key = key_for("meters", master=app.config["MASTER_KEY"])
        self.passwords = {code: meter_password(key, code, 1) for code in (*CODES, LISTENER)}
        self.broker = opened.enter_context(PrivateBroker(folder / "broker", port=free_port()))
        accounts = [meter_account(code, shard_of(code), self.passwords[code]) for code in CODES]
        self.broker.start([listener_account(self.passwords[LISTENER]), *accounts])
        self.database = opened.enter_context(
            psycopg.connect(host=str(server.sockets), user="pilotshare", dbname="pilotshare", autocommit=True)
        )
        self.environment = os.environ | {
            "DATABASE_URL": server.url, "MQTT_URL": self.broker.url, "PILOTSHARE_FOLDER": str(folder),
        }  # fmt: skip

    def flood(self, code: str, *, boot: int, readings: int, batch: int) -> subprocess.Popen[bytes]:
        told = [str(self.broker.port), code, self.passwords[code], str(boot), str(readings), str(batch)]
        return subprocess.Popen([sys.executable, "-m", "bench.flood", *told], stdout=subprocess.DEVNULL)

    def listener(self, shards: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flask", "--app", "app", "listen", "--shards", shards]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stored(self, boot: int) -> int:
        return self.database.execute("SELECT count(*) FROM reading WHERE boot = %s", (boot,)).fetchone()[0]

    def wake(self, codes: Sequence[str], *, boot: int) -> None:
        """Until the first readings are stored the listener was only starting."""
        while self.stored(boot) < 100 * len(codes):
            for code in codes:
                self.flood(code, boot=boot, readings=100, batch=100).wait()

    def rate(self, codes: Sequence[str], *, boot: int, readings: int, batch: int) -> float:
        """Readings a second from the first stored to the last; the flood has prepared its bytes by then."""
        floods = [self.flood(code, boot=boot, readings=readings // len(codes), batch=batch) for code in codes]
        while not (first := self.stored(boot)):
            time.sleep(0.01)
        began = time.perf_counter()
        while (now := self.stored(boot)) < readings:
            time.sleep(0.02)
        took = time.perf_counter() - began
        for flood in floods:
            flood.wait()
        return (now - first) / took


def main() -> None:
    with ExitStack() as opened:
        bench = Bench(opened)
        stock = stock_paho(bench)
        print(f"messages/s  stock paho receives, stores nothing {stock:9.0f}   broker {bench.broker.kind}", flush=True)
        everything = bench.listener(f"0-{SHARDS - 1}")
        rates = {}
        try:
            bench.wake(CODES[:1], boot=1)
            for boot, (batch, readings) in enumerate(RUNS, start=2):
                rates[batch] = bench.rate(CODES[:1], boot=boot, readings=readings, batch=batch)
        finally:
            everything.terminate()
            everything.wait()
        floor = copied_inside(bench.database)
        print(f"readings/s  COPY inside the server {floor:9.0f}")
        for batch, rate in rates.items():
            print(
                f"  {batch:4} a message   {rate:9.0f}   of stock paho {rate / stock:6.2f}   of COPY {rate / floor:.3f}"
            )
        two_shards(bench)


def two_shards(bench: Bench) -> None:
    pair = [bench.listener(str(shard_of(code))) for code in CODES]
    try:
        bench.wake(CODES, boot=20)
        both = bench.rate(CODES, boot=21, readings=300_000, batch=20)
    finally:
        for one in pair:
            one.terminate()
            one.wait()
    print(f"  two listeners, 20 a message {both:9.0f}   cores {os.cpu_count()}")


def stock_paho(bench: Bench) -> float:
    """Messages a second that plain paho receives by QoS 1 and acknowledges itself, one reading each."""
    count, done, times = 20_000, threading.Event(), []

    def hear(*_: object) -> None:
        times.append(time.perf_counter())
        if len(times) == count:
            done.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="floor", protocol=mqtt.MQTTv5)
    client.username_pw_set(LISTENER, bench.passwords[LISTENER])
    subscribed = threading.Event()
    client.on_connect = lambda *_: client.subscribe(topics_of_shard(shard_of(CODES[0]))[0], qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = hear
    client.connect("127.0.0.1", bench.broker.port)
    client.loop_start()
    subscribed.wait()
    flood = bench.flood(CODES[0], boot=99, readings=count, batch=1)
    done.wait()
    flood.wait()
    client.disconnect()
    client.loop_stop()
    return (count - 1) / (times[-1] - times[0])


def copied_inside(database: psycopg.Connection) -> float:
    """The rows that were stored, again, from a file of the server: no client, same key, same index."""
    path = database.execute("SHOW data_directory").fetchone()[0] + "/floor.bin"
    rows = database.execute("SELECT count(*) FROM reading").fetchone()[0]
    database.execute("COPY (SELECT * FROM reading) TO '" + path + "' (FORMAT binary)")
    database.execute("CREATE TABLE floor (LIKE reading INCLUDING ALL)")
    database.execute("CREATE INDEX ON floor USING brin (batch_id) WITH (pages_per_range = 32)")
    began = time.perf_counter()
    database.execute("COPY floor FROM '" + path + "' (FORMAT binary)")
    return rows / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
