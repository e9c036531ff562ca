"""``flask up``: the whole house on one machine, and its orderly end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import click
import flask_migrate
from flask import Flask, current_app
from sqlalchemy.exc import OperationalError

from app.demo import DEMO_ACCOUNTS, DEMO_PASSWORD, seed_demo
from app.kernel import clock
from app.kernel.db import db, transaction
from app.kernel.errors import Refusal
from app.kernel.postgres import PrivatePostgres
from app.kernel.secrets import key_for
from devices.accounts import Account
from devices.broker import PrivateBroker
from devices.broker_settings import ANYWHERE
from devices.registering import wire_accounts

STOP_LIMIT_S = 20.0
WORKERS_LIMIT_S = 10
WATCH_S = 1.0
STEADY_S = 10.0
MOST_EARLY_ENDS = 3
LEAST_FREE_MB = 500


@dataclass
class Child:
    """One process of the house. Its output goes to a log of its own."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = field(default=0.0)
    early_ends: int = 0

    def start(self, environment: dict[str, str]) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self.started = time.monotonic()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@click.command("up")
@click.option("--demo/--no-demo", default=True, help="Load the sample world (示例) and run its simulated meters.")
def up(*, demo: bool) -> None:
    """Start everything and stay until Ctrl-C: database, broker, web, listener, worker, sample meters."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    stop = threading.Event()
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, lambda *_: stop.set())
    try:
        _run(app, stop, demo=demo)
    except Refusal as refusal:
        raise click.ClickException(str(refusal)) from refusal


def _run(app: Flask, stop: threading.Event, *, demo: bool) -> None:
    folder: Path = app.config["FOLDER"]
    (folder / "log").mkdir(parents=True, exist_ok=True)
    insist_on_space(folder, mb=LEAST_FREE_MB)
    host, port = app.config["HOST"], app.config["PORT"]
    if _taken(host, port):
        raise Refusal(
            "端口 %(port)s 已被占用。请停止占用它的程序，或运行 PILOTSHARE_PORT=%(other)s make run。",
            port=port,
            other=port + 1,
        )
    postgres = None if _given("DATABASE_URL") else PrivatePostgres(folder / "postgres")
    broker = None if app.config["MQTT_URL"] else _broker(app)
    children: list[Child] = []
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    try:
        if postgres is not None:
            _step("PostgreSQL", lambda: str(postgres.start() and f"pid {postgres.process_id}"))
        _step("数据表 / migrations", lambda: flask_migrate.upgrade() or "")
        if demo:
            _step("示例数据 / sample world", _seed)
        accounts = _accounts(app)
        if broker is not None:
            _step("MQTT", lambda: f"{broker.start(accounts)} ({broker.kind})")
            (folder / "broker.url").write_text(broker.url)
        children = _children(folder, host, port, demo=demo)
        for child in children:
            child.start(environment)
        _step("网站 / web", lambda: _wait_for_web(host, port, stop, children[0]))
        if not stop.is_set():
            _welcome(host, port, demo=demo)
        _watch(app, stop, children, environment, postgres, broker, accounts)
    finally:
        click.echo("\n正在停止 / stopping …")
        for child in reversed(children):
            child.ask_to_stop()
        for child in reversed(children):
            child.wait()
        if broker is not None:
            broker.stop()
        db.session.remove()
        db.engine.dispose()
        if postgres is not None:
            postgres.stop()
        click.echo("已停止，数据保留在 / stopped, data kept in " + str(folder))


def web_command(host: str, port: int, *, workers: int = 2) -> list[str]:
    """The web server. Its workers do not hear a wish to stop while they start: then they are killed after a while."""
    options = {
        "--interface": "wsgi", "--host": host, "--port": str(port), "--workers": str(workers),
        "--blocking-threads": "8", "--workers-kill-timeout": str(WORKERS_LIMIT_S),
    }  # fmt: skip
    given = [word for pair in options.items() for word in pair]
    return [sys.executable, "-m", "granian", *given, "--no-ws", "--factory", "app:create_app"]


def _children(folder: Path, host: str, port: int, *, demo: bool) -> list[Child]:
    python, logs = sys.executable, folder / "log"
    flask = [python, "-m", "flask", "--app", "app"]
    children = [
        Child("web", web_command(host, port), logs / "web.log"),
        Child("listen", [*flask, "listen"], logs / "listen.log"),
        Child("work", [*flask, "work"], logs / "work.log"),
    ]
    if demo:
        children.append(Child("simulate", [*flask, "simulate"], logs / "simulate.log"))
    return children


def _watch(
    app: Flask,
    stop: threading.Event,
    children: list[Child],
    environment: dict[str, str],
    postgres: PrivatePostgres | None,
    broker: PrivateBroker | None,
    accounts: list[Account],
) -> None:
    """Until somebody wants to stop: start anew what ended, and tell the broker of new or revoked accounts.

    It reads all accounts each second: a thousand take 30 ms, and no notice of a change can get lost.
    """
    while not stop.wait(WATCH_S):
        if postgres is not None and postgres.process_id is None:
            postgres.start()
            click.echo("PostgreSQL 已退出，重新启动 / the database ended, starting anew")
        for child in children:
            if child.process is not None and child.process.poll() is not None:
                child.early_ends = child.early_ends + 1 if time.monotonic() - child.started < STEADY_S else 0
                if child.early_ends >= MOST_EARLY_ENDS:
                    raise Refusal("%(name)s 无法运行，日志见 %(log)s。", name=child.name, log=child.log)
                click.echo(f"{child.name} 已退出（{child.process.returncode}），重新启动 / ended, starting anew")
                child.start(environment)
        if broker is not None and broker.revive(accounts):
            click.echo("MQTT 已退出，重新启动 / the broker ended, starting anew")
        with suppress(OperationalError):  # while the database is away, the known accounts hold
            if broker is not None and (now := _accounts(app)) != accounts:
                accounts = now
                broker.replace_accounts(accounts)


def _accounts(app: Flask) -> list[Account]:
    with transaction() as session:
        return wire_accounts(session, key_for("meters", master=app.config["MASTER_KEY"]))


def _broker(app: Flask) -> PrivateBroker:
    config = app.config
    return PrivateBroker(
        config["FOLDER"] / "broker",
        port=config["MQTT_PORT"],
        host=config["MQTT_HOST"],
        tls_port=config["MQTT_TLS_PORT"],
        names=_own_names(config["MQTT_HOST"], config["PUBLIC_URL"]),
        tells_denied=True,
    )


def _own_names(host: str, public_url: str | None) -> set[str]:
    """How devices may call this machine: what is set, its name, and its address in the network."""
    names = {socket.gethostname(), urlsplit(public_url or "").hostname or "", "" if host == ANYWHERE else host}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way, suppress(OSError):
        way.connect(("192.0.2.1", 9))  # sends nothing; only asks which interface would
        names.add(str(way.getsockname()[0]))
    return names - {""}


def _seed() -> str:
    with transaction() as session:
        seed_demo(session, at=clock.now())
    return ""


def _step(name: str, work: Callable[[], str]) -> None:
    click.echo(f"  … {name}", nl=False)
    began = time.monotonic()
    said = work()
    click.echo(f"\r  ✓ {name}  {said}  {time.monotonic() - began:.1f} s")


def _wait_for_web(host: str, port: int, stop: threading.Event, web: Child) -> str:
    address = f"http://{host}:{port}/"
    while not stop.is_set():
        if web.process is not None and web.process.poll() is not None:
            raise Refusal("网站无法启动，日志见 %(log)s。", log=web.log)
        try:
            with urllib.request.urlopen(address, timeout=5):
                return address
        except (OSError, HTTPException):
            stop.wait(0.1)
    return ""


def _welcome(host: str, port: int, *, demo: bool) -> None:
    click.echo(f"\n中试共享 PilotShare  →  http://{host}:{port}/\n")
    if demo:
        click.echo(f"示例账号（密码均为 {DEMO_PASSWORD}）/ sample accounts:")
        for email, who in DEMO_ACCOUNTS:
            click.echo(f"  {email:<34} {who}")
    click.echo("\nCtrl-C 停止 / stops everything; make reset 重新开始 / starts over.\n")


def insist_on_space(folder: Path, *, mb: int) -> None:
    """Errors: ``Refusal`` where less than ``mb`` megabytes are free; a full disk would stop the database."""
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < mb:
        raise Refusal(
            "磁盘空间不足：%(folder)s 只剩 %(free)s MB，至少需要 %(mb)s MB。"
            "请清理后重试，或用 PILOTSHARE_FOLDER 指定别处。",
            folder=folder,
            free=free,
            mb=mb,
        )


def _taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _given(name: str) -> bool:
    return bool(os.environ.get(name))
