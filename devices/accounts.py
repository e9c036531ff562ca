"""Who may connect to the broker, and what each may say and hear there; also as files for any mosquitto.

A meter speaks under its own topics only, and hears only what is said to it. One that speaks through a carrier
has no account of its own. Passwords are derived, so that none is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from app.kernel.errors import InvalidInput
from devices.rules.evidence import Dialect
from devices.rules.topic import SPARKPLUG, read_topic, topic_of

LISTENER = "listener"
HASH_ROUNDS = 101
DOWNLINKS: dict[Dialect, tuple[str, ...]] = {
    Dialect.NATIVE: ("ack", "backfill", "cmd"),
    Dialect.TASMOTA: ("cmnd/#",),
    Dialect.SHELLY: ("rpc", "command/#"),
    Dialect.ZIGBEE2MQTT: ("+/set", "+/get", "+/+/set", "+/+/get"),  # a plug's name may hold one slash
}
"""What a device of each dialect may hear, behind its own part of the topic. Sparkplug has topics of its own."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who may connect, and the topic filters it may write to and read from."""

    username: str
    password: str
    may_publish: tuple[str, ...]
    may_read: tuple[str, ...]


def meter_password(key: bytes, code: str, version: int) -> str:
    """A meter's password; a revoked one is the next ``version``."""
    digest = hmac.new(key, f"{code}\0{version}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:26]


def insist_on_code(code: str) -> None:
    """Errors: ``InvalidInput`` for a code that is no name in a topic, or is somebody else's in an account file."""
    if read_topic(topic_of(code, "data")) is None:
        raise InvalidInput(
            "表计编号只能用英文字母、数字、- 和 _，以字母或数字开头，最长 80 个字符。", field="code", code=code
        )
    if code.lower() == LISTENER:
        raise InvalidInput("编号 %(code)s 由系统使用，请换一个。", field="code", code=code)


def meter_account(code: str, shard: int, password: str, dialect: Dialect = Dialect.NATIVE) -> Account:
    """The account of a meter with a connection of its own. Errors: ``InvalidInput``, as ``insist_on_code``."""
    insist_on_code(code)
    if dialect is Dialect.SPARKPLUG:
        group = f"{SPARKPLUG}/ps{shard}"
        told = (f"{group}/NCMD/{code}", f"{group}/DCMD/{code}/#", f"{SPARKPLUG}/STATE/#")
        return Account(code, password, (f"{group}/+/{code}", f"{group}/+/{code}/#"), told)
    own = f"m/{shard}/{code}"
    return Account(code, password, (f"{own}/#",), tuple(f"{own}/{suffix}" for suffix in DOWNLINKS[dialect]))


def listener_account(password: str) -> Account:
    everything = ("m/#", f"{SPARKPLUG}/#")
    return Account(LISTENER, password, everything, everything)


def mosquitto_rules(accounts: Iterable[Account]) -> str:
    """An ``acl_file``. Names are checked before they get here: none can hold a line of its own."""
    return "".join(
        f"user {account.username}\n"
        + "".join(f"topic write {topic}\n" for topic in account.may_publish)
        + "".join(f"topic read {topic}\n" for topic in account.may_read)
        for account in accounts
    )


def mosquitto_passwords(accounts: Iterable[Account]) -> str:
    """A ``password_file``."""
    return "".join(f"{account.username}:{_mosquitto_hash(account.password)}\n" for account in accounts)


def _mosquitto_hash(password: str) -> str:
    """Mosquitto's ``$7$``: PBKDF2 with SHA-512, salt and digest in base64. Few rounds: 128 random bits need none."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, HASH_ROUNDS)
    return f"$7${HASH_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
