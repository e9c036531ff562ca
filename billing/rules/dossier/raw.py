"""What a message of the native dialect said of its readings, read with Python's standard library alone.

It is written a second time here on purpose: what ``devices/payloads`` read when the message came is checked against
it. Messages of other dialects are compared by their digests only. Source: docs/metering-native.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from decimal import Decimal
from itertools import repeat
from typing import Any, NamedTuple

NATIVE = ("data", "signed")
_JSON = json.JSONDecoder(parse_float=Decimal)
_INTS = {int}
_NOTHING = {type(None)}


class Said(NamedTuple):
    """What a message said of its readings, in its order: as rows, and column by column.

    Columns: number, milliseconds since 1970 UTC, milliwatts, milliwatt-hours, whether it runs, count. What it did not
    say is ``None``.
    """

    rows: Sequence[bytes]
    boot: int
    columns: tuple[list[Any], ...]

    def only(self, rows: Sequence[bytes]) -> Said:
        """Of these rows alone. Errors: ``KeyError`` naming the first that it did not say."""
        places = {row: place for place, row in enumerate(self.rows)}
        wanted = [places[row] for row in rows]
        return Said(rows, self.boot, tuple([column[place] for place in wanted] for column in self.columns))


def meter_of(topic: str) -> str:
    """The code of a native meter that speaks under ``topic``, or nothing where it says something else there."""
    parts = topic.split("/")
    return parts[2] if len(parts) == 4 and parts[0] == "m" and parts[3] in NATIVE else ""


def said_by(topic: str, payload: bytes, *, like: bytes) -> Said:
    """What a native message said. Column by column: this sees every reading.

    When it came and by which key it was signed stands in no message: these are as in the row ``like``.
    Errors: ``ValueError``, ``KeyError``, ``TypeError`` or ``ArithmeticError`` where it is no such message.
    """
    message = _JSON.decode(payload.decode())
    if topic.endswith("/signed"):
        message = _JSON.decode(message["body"])
    told = message["readings"]
    (boot,) = _wholes([message["boot"]])
    seqs = _wholes([one["seq"] for one in told])
    at_ms = _wholes([one["at_ms"] for one in told])
    power_mw = _thousandths([one.get("power_w") for one in told])
    energy_mwh = _thousandths([one.get("energy_wh") for one in told])
    running = [one.get("running") for one in told]
    counts = _wholes([one.get("count") for one in told], but=_NOTHING)
    begins = f"{meter_of(topic)}|{boot}|"
    received, key, _ = like.decode().rsplit("|", 3)[1:]
    ends = f"|{received}|{key}|{'t' if message.get('backfill') else 'f'}"
    words = zip(seqs, at_ms, _words(power_mw), _words(energy_mwh), _states(running), _words(counts), strict=False)
    rows = [
        f"{begins}{seq}|{at}000|{power}|{energy}|{state}|{count}{ends}".encode()
        for seq, at, power, energy, state, count in words
    ]
    return Said(rows, boot, (seqs, at_ms, power_mw, energy_mwh, running, counts))


def _wholes(column: list[Any], but: Set[type] = frozenset()) -> list[Any]:
    """As they are. Errors: ``ValueError`` where one is no whole number (nor of the kinds ``but``)."""
    if not _kinds(column) <= _INTS | but:
        raise ValueError("a number that is not whole")
    return column


def _thousandths(column: list[Any]) -> list[int | None]:
    """A thousand times each, cut off. A number may stand in quotes."""
    if _kinds(column) == _INTS:
        return [one * 1000 for one in column]
    return [None if one is None else int(Decimal(one) * 1000) for one in column]


def _words(column: list[Any]) -> Iterable[Any]:
    """For a row: nothing where nothing was said. Mostly all of a column are there, or none."""
    kinds = _kinds(column)
    if kinds == _INTS:
        return column
    return repeat("") if kinds == _NOTHING else ["" if one is None else one for one in column]


def _states(column: list[Any]) -> Iterable[str]:
    return repeat("") if _kinds(column) == _NOTHING else ["" if one is None else "ft"[one] for one in column]


def _kinds(column: list[Any]) -> Set[type]:
    return set(map(type, column))
