"""What a message of the native dialect said of its readings, read with Python's standard library alone.

It is written a second time here on purpose: what ``devices/payloads`` read when the message came is checked against
it. Messages of other dialects are compared by their digests only. Source: docs/metering-native.md.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from typing import Any

NATIVE = ("data", "signed")
_read: Any = partial(json.loads, parse_float=Decimal)


def meter_of(topic: str) -> str:
    """The code of a native meter that speaks under ``topic``, or nothing where it says something else there."""
    parts = topic.split("/")
    return parts[2] if len(parts) == 4 and parts[0] == "m" and parts[3] in NATIVE else ""


def rows_said(topic: str, payload: bytes, *, like: bytes) -> list[bytes]:
    """The rows of the readings in a native message, in its order.

    When it came and by which key it was signed stands in no message: these are as in the row ``like``.
    Errors: ``ValueError``, ``KeyError``, ``TypeError`` or ``ArithmeticError`` where it is no such message.
    """
    message = _read(payload)
    if topic.endswith("/signed"):
        message = _read(message["body"])
    begins = f"{meter_of(topic)}|{message['boot']}|"
    received, key, _ = like.decode().rsplit("|", 3)[1:]
    ends = f"|{received}|{key}|{'t' if message.get('backfill') else 'f'}"
    said = []
    for one in message["readings"]:
        get = one.get
        running, count = get("running"), get("count")
        told = "" if running is None else "t" if running else "f"
        said.append(
            f"{begins}{one['seq']}|{one['at_ms']}000|{_milli(get('power_w'))}|{_milli(get('energy_wh'))}|{told}|"
            f"{'' if count is None else count}{ends}".encode()
        )
    return said


def _milli(value: Any) -> int | str:
    """Thousandths, cut off."""
    return "" if value is None else int(value * 1000)
