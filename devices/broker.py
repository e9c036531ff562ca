"""The embedded MQTT broker.

``mosquitto`` is used where the machine has it: accounts with topic rules, TLS, sessions that survive a
restart. Else ``iotcore`` from the locked packages: accounts without topic rules, on the loopback interface
only, everything in memory. There a meter's message on another's topic cannot be told from the other's own,
unless that one has to sign. No broker keeps every acknowledged message through a crash (measured), so a meter
keeps its readings until the application acknowledges them; then the broker does not matter for correctness.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from app.kernel.errors import Refusal
from devices.accounts import (
    Account,
    mosquitto_passwords,
    mosquitto_rules,
)
from devices.broker_settings import HOST, iotcore_settings, mosquitto_settings
from devices.certifying import make_authority, make_certificate
from devices.refusals import LOG

Kind = Literal["mosquitto", "iotcore"]
DEFAULT_PORT = 18830
START_LIMIT_S = 15.0
STOP_LIMIT_S = 10.0
ROUTINE = "^[0-9]+: (Received |Sending |No will |Will message |\t)"
"""Lines of mosquitto's that tell nothing; it says what it denies only among all of these."""


class BrokerFailed(Refusal):
    """The embedded broker could not be started; the sentence says what to do."""

    code = "broker_failed"


class PrivateBroker:
    """One broker, with its files in ``folder``: on the loopback interface, and for devices on ``host``.

    With a ``tls_port`` the loopback interface keeps ``port`` and ``host`` hears TLS only, with a certificate for
    ``names`` of the authority in ``folder/tls``. ``tells_denied`` has mosquitto write down what it denies, about
    20 microseconds of processor time a message (measured), for ``refusals_since``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        prefer: Kind | None = None,
        host: str = HOST,
        tls_port: int | None = None,
        names: Iterable[str] = (),
        tells_denied: bool = False,
    ) -> None:
        self.folder = folder.absolute()
        self.kind: Kind = prefer or ("mosquitto" if _mosquitto() else "iotcore")
        self.port = port or self._usual_port()
        self.host, self.tls_port, self.names = host, tls_port, (HOST, "localhost", *names)
        self.tells_denied = tells_denied and self.kind == "mosquitto" and shutil.which("grep") is not None
        self._process: subprocess.Popen[bytes] | None = None
        self._filter: subprocess.Popen[bytes] | None = None
        self._hashed: dict[Account, str] = {}

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    @property
    def authority(self) -> Path:
        """The certificate that devices check the broker's against."""
        return self.folder / "tls" / "ca.crt"

    @property
    def enforces_topics(self) -> bool:
        """Whether a meter is kept to its own topics by the broker itself."""
        return self.kind == "mosquitto"

    @property
    def keeps_sessions(self) -> bool:
        """Whether sessions and queued messages survive an orderly restart."""
        return self.kind == "mosquitto"

    def start(self, accounts: Sequence[Account]) -> str:
        """Start with these accounts and wait until it answers. Returns :attr:`url`.

        Errors: ``BrokerFailed`` for a taken port, a wish that needs mosquitto, or a broker that ends at once.
        """
        if self.kind != "mosquitto" and (self.tls_port or self.host != HOST):
            raise BrokerFailed("没有 mosquitto 时，MQTT 服务只能在本机使用且不加密。请安装 mosquitto。")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._end_orphan()
        if _answers(self.port):
            raise BrokerFailed(
                "端口 %(port)s 已被占用。请停止占用它的程序，或设置 PILOTSHARE_MQTT_PORT 使用另一个端口。",
                port=self.port,
            )
        (self.folder / "port").write_text(str(self.port))
        if self.kind == "mosquitto":
            self._write_accounts(accounts)
            settings = mosquitto_settings(
                self.folder,
                port=self.port,
                host=self.host,
                tls_port=self.tls_port,
                certificate=self._certificate(),
                tells_denied=self.tells_denied,
            )
            _write_private(self.folder / "mosquitto.conf", settings)
            command = [_mosquitto() or "mosquitto", "-c", str(self.folder / "mosquitto.conf")]
        else:
            _write_private(self.folder / "broker.toml", iotcore_settings(self.port, accounts))
            options = json.dumps({"config_path": str(self.folder / "broker.toml")}, ensure_ascii=False)
            command = [sys.executable, "-P", "-m", "iotcore._serve", options]
        with (self.folder / LOG).open("ab") as log:
            if self.tells_denied:
                self._filter = subprocess.Popen(
                    ["grep", "--text", "--line-buffered", "--invert-match", "--extended-regexp", ROUTINE],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    start_new_session=True,  # it ends when the broker does
                )
            heard = log if self._filter is None else self._filter.stdin
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # iotcore ends when this closes, so it never outlives us
                stdout=heard,
                stderr=heard,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the broker last
            )
            if self._filter is not None and self._filter.stdin is not None:
                self._filter.stdin.close()
        (self.folder / "processes").write_text(f"{os.getpid()} {self._process.pid}")
        limit = time.monotonic() + START_LIMIT_S
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > limit:
                self.stop()
                raise BrokerFailed("MQTT 服务无法启动，日志见 %(log)s。", log=self.folder / LOG)
            time.sleep(0.02)
        return self.url

    def replace_accounts(self, accounts: Sequence[Account]) -> None:
        """From now on exactly these may connect. ``iotcore`` restarts for it and forgets its sessions."""
        if self.kind == "mosquitto" and self._process is not None:
            self._write_accounts(accounts)
            self._process.send_signal(signal.SIGHUP)
        else:
            self.stop()
            self.start(accounts)

    def revive(self, accounts: Sequence[Account]) -> bool:
        """Start it again if it ended by itself; returns whether it had."""
        if self._process is None or self._process.poll() is None:
            return False
        self.stop()
        self.start(accounts)
        return True

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def _end_orphan(self) -> None:
        """End what a killed supervisor left running: mosquitto does not notice, and iotcore takes a moment."""
        try:
            supervisor, broker = (self.folder / "processes").read_text().split()
            orphaned = f"PPid:\t{supervisor}\n" not in Path(f"/proc/{broker}/status").read_text()
        except (OSError, ValueError):
            return
        files = os.fsencode(f"{self.folder}/")
        if orphaned and files in _command_line(broker):
            with suppress(ProcessLookupError):
                os.kill(int(broker), signal.SIGTERM)
        limit = time.monotonic() + STOP_LIMIT_S
        while orphaned and _lives(broker) and (files in _command_line(broker) or _answers(self.port)):
            if time.monotonic() > limit:
                return
            time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT_S)
        if process.stdin is not None:
            process.stdin.close()
        if self._filter is not None:
            self._filter.wait(STOP_LIMIT_S)
            self._filter = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _usual_port(self) -> int:
        """The port of the last time, so that meters find the broker again; else a free one."""
        try:
            return int((self.folder / "port").read_text())
        except (OSError, ValueError):
            return DEFAULT_PORT if not _answers(DEFAULT_PORT) else _free_port()

    def _write_accounts(self, accounts: Sequence[Account]) -> None:
        """Each password is hashed once: whose account did not change keeps its line, and thousands are no work."""
        known = self._hashed
        self._hashed = {one: known.get(one) or mosquitto_passwords([one]) for one in accounts}
        _write_private(self.folder / "acl", mosquitto_rules(accounts))
        _write_private(self.folder / "passwords", "".join(self._hashed.values()))

    def _certificate(self) -> tuple[Path, Path] | None:
        if not self.tls_port:
            return None
        make_authority(self.authority.parent)
        return make_certificate(self.authority.parent, self.names)


def _mosquitto() -> str | None:
    """Debian puts it where an ordinary user's PATH does not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _lives(process_id: str) -> bool:
    return Path(f"/proc/{process_id}").exists()


def _command_line(process_id: str) -> bytes:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except OSError:
        return b""


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=0.3).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
