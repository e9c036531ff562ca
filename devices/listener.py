"""Take a batch, store it, acknowledge it, again. Nothing on the wire can stop this loop."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32

import psycopg
from flask import Flask
from sqlalchemy import insert
from sqlalchemy.exc import InterfaceError, OperationalError

from app.kernel import clock
from app.kernel.db import db, transaction
from app.kernel.errors import Refusal
from devices.accounts import LISTENER
from devices.backfilling import questions, questions_after_a_lost_session
from devices.client import Received, Subscriber
from devices.hearing import KEPT_OF_OVERSIZED
from devices.ingesting import Ingested, ingest
from devices.interlocking import due_commands
from devices.models import DeadLetter
from devices.rules.topic import topic_of, topics_of_shard

log = logging.getLogger("pilotshare.listener")

BATCH = 1000
WAIT_S = 0.05
RETRY_S = 1.0
ASK_EVERY = timedelta(seconds=1)
RARELY = (100_000, 20, 100)  # a batch makes many objects and no cycles: looking for some costs a third of the time
# What comes through SQLAlchemy and what comes from the driver's own cursor: the database is away, or broke a deadlock.
OUTAGES = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
ONE_LISTENER = 5120  # advisory lock class: two under one client id would push each other off the broker


class AlreadyListening(Refusal):
    """Another process listens under the same client id."""

    code = "already_listening"


def run(app: Flask, url: str, password: str, *, shards: Sequence[int], stop: threading.Event) -> None:
    """Listen to these shards until ``stop``. Errors: ``AlreadyListening``."""
    gc.set_threshold(*RARELY)
    name = f"pilotshare-listener-{'-'.join(map(str, shards)) if len(shards) < 16 else 'all'}"
    database = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(database, autocommit=True) as lock:
        asked = lock.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", (ONE_LISTENER, crc32(name.encode()) >> 1)
        ).fetchone()
        if asked is None or not asked[0]:
            raise AlreadyListening("已有一个采集进程以 %(name)s 运行，请先停止它。", name=name)
        topics = [topic for shard in shards for topic in topics_of_shard(shard)]
        subscriber = Subscriber(url, name=name, username=LISTENER, password=password, topics=topics)
        asked_at = clock.now()
        try:
            while not stop.is_set():
                if not subscriber.alive or subscriber.taken_over:
                    raise RuntimeError("the network thread ended or another client took the session over")
                batch = subscriber.take(most=BATCH, wait_s=WAIT_S)
                if batch:
                    _keep(subscriber, batch, stop)
                asked_at = _ask(subscriber, shards, asked_at)
        finally:
            subscriber.close()


def _keep(subscriber: Subscriber, batch: list[Received], stop: threading.Event) -> None:
    """Store the batch and acknowledge it. While the database is away nothing is acknowledged and nothing lost."""
    while not stop.is_set():
        try:
            results = _store_or_keep_aside(batch)
        except OUTAGES as error:
            log.warning("the database does not answer, waiting: %s", error)
            stop.wait(RETRY_S)
            continue
        subscriber.acknowledge(batch)
        for result in results:
            for told in result.acknowledgements:
                subscriber.publish(topic_of(told.code, "ack"), {"boot": told.boot, "upto": told.upto})
            for topic, payload in result.answers:
                subscriber.publish(topic, payload)
        return


def _ask(subscriber: Subscriber, shards: Sequence[int], asked_at: datetime) -> datetime:
    """Ask the meters for what is missing and tell relays to switch, if it is time to. Returns when that was last."""
    now = clock.now()
    if now - asked_at < ASK_EVERY:
        return asked_at
    try:
        with transaction() as session:
            wanted = questions(session, shards, at=now)
            if subscriber.session_lost:
                wanted += questions_after_a_lost_session(session, shards)
            commands = due_commands(session, shards, at=now)
    except OUTAGES:
        return asked_at  # asked again when the database is back
    finally:
        db.session.remove()
    subscriber.session_lost = False
    for one in wanted:
        told = {"boot": one.boot, "first": one.first, "last": one.last}
        subscriber.publish(topic_of(one.code, "backfill"), told)
    for topic, payload in commands:
        subscriber.publish(topic, payload)
    return now


def _store_or_keep_aside(batch: Sequence[Received]) -> list[Ingested]:
    """Together, or else one by one, so that only what cannot be stored is kept aside. Errors: ``OUTAGES``."""
    try:
        return [_store(batch)]
    except OUTAGES:
        raise
    except Exception as error:
        if len(batch) > 1:
            log.exception("a batch of %s could not be stored together; one by one", len(batch))
            return [result for received in batch for result in _store_or_keep_aside([received])]
        return [_keep_aside(batch[0], error)]


def _store(batch: Sequence[Received]) -> Ingested:
    try:
        with transaction() as session:
            return ingest(session, [received.message for received in batch])
    finally:
        db.session.remove()


def _keep_aside(received: Received, error: Exception) -> Ingested:
    message = received.message
    detail = f"{type(error).__name__}: {error}".replace("\0", "�").encode(errors="replace").decode()
    try:
        with transaction() as session:
            session.execute(
                insert(DeadLetter).values(
                    topic=message.topic.replace("\0", "�"),
                    payload=message.payload[:KEPT_OF_OVERSIZED],
                    reason="not_storable",
                    detail=detail[:300],
                    received_at=message.received_at,
                )
            )
    finally:
        db.session.remove()
    return Ingested(kept_aside=1)
