"""The embedded MQTT broker, and the accounts of meters on any broker.

``mosquitto`` is used where the machine has it: accounts with topic rules, sessions that survive a
restart. Else ``iotcore`` from the locked packages: accounts without topic rules, everything in
memory. No broker keeps every acknowledged message through a crash (measured), so a meter keeps its
readings until the application acknowledges them; then the broker does not matter for correctness.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from app.kernel.errors import InvalidInput, Refusal

Kind = Literal["mosquitto", "iotcore"]
HOST = "127.0.0.1"
DEFAULT_PORT = 18830
LARGEST_MESSAGE = 256 * 1024
START_LIMIT_S = 15.0
STOP_LIMIT_S = 10.0
HASH_ROUNDS = 101
LISTENER = "listener"


class BrokerFailed(Refusal):
    """The embedded broker could not be started; the sentence says what to do."""

    code = "broker_failed"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may connect, and the topic filters it may write to and read from."""

    username: str
    password: str
    may_publish: tuple[str, ...]
    may_read: tuple[str, ...]


def meter_password(key: bytes, code: str, version: int) -> str:
    """A meter's password, derived so that none is stored; a revoked one is the next ``version``."""
    digest = hmac.new(key, f"{code}\0{version}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:26]


def meter_account(code: str, shard: int, password: str) -> Account:
    """Errors: ``InvalidInput`` for a code that would mean more than one meter in a topic or an account file."""
    if not re.fullmatch(r'[^\s+#/:"]+', code):
        raise InvalidInput('表计编号不能含空白或 + # / : " 等字符。', field="code", code=code)
    own = f"m/{shard}/{code}/#"
    return Account(code, password, may_publish=(own,), may_read=(own,))


def listener_account(password: str) -> Account:
    return Account(LISTENER, password, may_publish=("m/#",), may_read=("m/#",))


class PrivateBroker:
    """One broker on the loopback interface, with its files in ``folder``."""

    def __init__(self, folder: Path, *, port: int | None = None, prefer: Kind | None = None) -> None:
        self.folder = folder.absolute()
        self.kind: Kind = prefer or ("mosquitto" if _mosquitto() else "iotcore")
        self.port = port or self._usual_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

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

        Errors: ``BrokerFailed`` for a taken port or a broker that ends at once.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._end_orphan()
        if _answers(self.port):
            raise BrokerFailed(
                "端口 %(port)s 已被占用。请停止占用它的程序，或设置 PILOTSHARE_MQTT_PORT 使用另一个端口。",
                port=self.port,
            )
        (self.folder / "port").write_text(str(self.port))
        if self.kind == "mosquitto":
            self._write_mosquitto(accounts)
            command = [_mosquitto() or "mosquitto", "-c", str(self.folder / "mosquitto.conf")]
        else:
            self._write_iotcore(accounts)
            options = json.dumps({"config_path": str(self.folder / "broker.toml")}, ensure_ascii=False)
            command = [sys.executable, "-P", "-m", "iotcore._serve", options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # iotcore ends when this closes, so it never outlives us
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the broker last
            )
        (self.folder / "processes").write_text(f"{os.getpid()} {self._process.pid}")
        limit = time.monotonic() + START_LIMIT_S
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > limit:
                self.stop()
                raise BrokerFailed("MQTT 服务无法启动，日志见 %(log)s。", log=self.folder / "log")
            time.sleep(0.02)
        return self.url

    def replace_accounts(self, accounts: Sequence[Account]) -> None:
        """From now on exactly these may connect. ``iotcore`` restarts for it and forgets its sessions."""
        if self.kind == "mosquitto" and self._process is not None:
            self._write_mosquitto(accounts)
            self._process.send_signal(signal.SIGHUP)
        else:
            self.stop()
            self.start(accounts)

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

    def _write_mosquitto(self, accounts: Sequence[Account]) -> None:
        rules = [
            line
            for account in accounts
            for line in (
                f"user {account.username}",
                *(f"topic write {topic}" for topic in account.may_publish),
                *(f"topic read {topic}" for topic in account.may_read),
            )
        ]
        _write_private(self.folder / "acl", "\n".join(rules) + "\n")
        _write_private(
            self.folder / "passwords",
            "".join(f"{account.username}:{_mosquitto_hash(account.password)}\n" for account in accounts),
        )
        settings = {
            "listener": f"{self.port} {HOST}",
            "allow_anonymous": "false",
            "password_file": self.folder / "passwords",
            "acl_file": self.folder / "acl",
            "persistence": "true",
            "persistence_location": f"{self.folder}/",
            "autosave_interval": 30,
            "max_queued_messages": 0,
            "max_queued_bytes": 512 * 1024 * 1024,
            "max_inflight_messages": 4000,  # as many as a listener takes before it has stored the first
            "message_size_limit": 2 * LARGEST_MESSAGE,  # what is over our own limit is kept aside with its reason
            "persistent_client_expiration": "14d",
        }
        if os.geteuid() == 0:
            settings["user"] = "root"  # else it could not read its own files in a private folder
        _write_private(self.folder / "mosquitto.conf", "".join(f"{name} {value}\n" for name, value in settings.items()))

    def _write_iotcore(self, accounts: Sequence[Account]) -> None:
        users = "\n".join(f"{json.dumps(account.username)} = {json.dumps(account.password)}" for account in accounts)
        _write_private(
            self.folder / "broker.toml",
            f"""id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "{HOST}:{self.port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {2 * LARGEST_MESSAGE}
max_inflight_count = 1000
dynamic_filters = true

[v5.1.connections.auth]
{users}
""",
        )


def _mosquitto() -> str | None:
    """Debian puts it where an ordinary user's PATH does not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _mosquitto_hash(password: str) -> str:
    """Mosquitto's ``$7$``: PBKDF2 with SHA-512, salt and digest in base64."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, HASH_ROUNDS)
    return f"$7${HASH_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


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
