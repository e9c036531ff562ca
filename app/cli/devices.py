"""``flask listen``, ``flask simulate``, ``flask replay``: both ends of the wire."""

from __future__ import annotations

import logging
import signal
import threading
from datetime import datetime
from pathlib import Path

import click
from flask import Flask, current_app
from sqlalchemy import select

from app.kernel.db import transaction
from app.kernel.errors import Refusal
from app.kernel.secrets import key_for
from devices import listener, replaying
from devices.accounts import LISTENER, meter_password
from devices.models import Meter
from devices.rules.evidence import Dialect
from devices.rules.topic import SHARDS
from devices.simulating import fleet


def broker_url(app: Flask) -> str:
    """Where the broker is: the setting, or what the running house wrote down."""
    if app.config["MQTT_URL"]:
        return str(app.config["MQTT_URL"])
    written = Path(app.config["FOLDER"]) / "broker.url"
    if not written.exists():
        raise click.ClickException("没有 MQTT 地址。请先 make run，或设置 MQTT_URL。/ No broker: run make run first.")
    return written.read_text().strip()


def meter_key(app: Flask) -> bytes:
    return key_for("meters", master=app.config["MASTER_KEY"])


def until_told() -> threading.Event:
    """Set by Ctrl-C and by the supervisor's SIGTERM."""
    stop = threading.Event()
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, lambda *_: stop.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    return stop


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined]


@click.command("listen")
@click.option("--shards", default=f"0-{SHARDS - 1}", help="Which part of the topic space, such as 0-7.")
def listen(shards: str) -> None:
    """Store what the meters say."""
    app = _app()
    try:
        first, _, last = shards.partition("-")
        wanted = range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise click.BadParameter("such as 0-7 or 3", param_hint="--shards") from error
    try:
        listener.run(
            app, broker_url(app), meter_password(meter_key(app), LISTENER, 1), shards=list(wanted), stop=until_told()
        )
    except Refusal as refusal:
        raise click.ClickException(str(refusal)) from refusal


@click.command("simulate")
@click.option("--every", default=5.0, help="Seconds between two readings.")
@click.option("--faults", "seed", metavar="SEED", help="Let things go wrong: the same ones for the same seed.")
@click.option(
    "--truth", type=click.Path(file_okay=False, path_type=Path), help="A folder for what really happened, at the end."
)
def simulate(every: float, seed: str | None, truth: Path | None) -> None:
    """Run the sample meters (示例): they run during booked slots and idle otherwise."""
    app = _app()
    fleet.run(app, broker_url(app), meter_key(app), every_s=every, stop=until_told(), seed=seed, truth=truth)


@click.command("replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "dialect", type=click.Choice([one.value for one in Dialect]), default=Dialect.TASMOTA.value)
@click.option("--meter", "code", required=True, help="The meter's code.")
@click.option(
    "--speed", type=float, default=0.0, help="Times faster than recorded; 0 is as fast as the broker takes it."
)
@click.option("--start", type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]), help="Local time to begin at.")
def replay(file: Path, dialect: str, code: str, speed: float, start: datetime | None) -> None:
    """Publish a recorded power trace (dd/mm/yyyy HH:MM:SS;W;W) through the real broker."""
    app = _app()
    with transaction() as session:
        meter = session.scalar(select(Meter).where(Meter.code == code))
        if meter is None:
            raise click.ClickException(f"没有电表 {code} / there is no meter {code}")
        if meter.dialect.value != dialect:
            raise click.ClickException(
                f"电表 {code} 的方言是 {meter.dialect.value} / its dialect is {meter.dialect.value}"
            )
        password = meter_password(meter_key(app), code, meter.credential_version)
    try:
        with click.progressbar(length=1, label=file.name) as bar:

            def told(done: int, of: int) -> None:
                bar.length = of
                bar.update(done - bar.pos)

            sent = replaying.replay(
                file, broker_url(app), code=code, password=password, dialect=Dialect(dialect), speed=speed, start=start,
                told=told,
            )  # fmt: skip
    except Refusal as refusal:
        raise click.ClickException(str(refusal)) from refusal
    click.echo(f"{sent} 条读数已送达 / readings delivered")
