"""Shelly Gen2 and Gen3: what changed, in ``events/rpc``, and whole states, in ``status/<component>``.

A notification carries only the fields that changed, and the device's own time. A state carries no time; see
``_moment``. Watts and watt-hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from devices.payloads.fields import HIGHEST_W, HIGHEST_WH, content_hash, decoded, milli, moment_of
from devices.payloads.heard import NOTHING, Heard, Packet
from devices.payloads.unreadable import Unreadable
from devices.rules.sample import Sample

COUNTED_MINUTE = timedelta(minutes=1)
MEASURING = {  # kind of component: the kind that a channel of it is named by
    "switch": "switch",
    "pm1": "pm1",
    "cover": "cover",
    "light": "light",
    "em": "em",
    "emdata": "em",
    "em1": "em1",
    "em1data": "em1",
}


class Counter(msgspec.Struct, frozen=True):
    total: Decimal | None = None
    minute_ts: Decimal | None = None


class Component(msgspec.Struct, frozen=True):
    """The fields that are read of any component. Whichever is not given has not changed."""

    output: bool | None = None
    apower: Decimal | None = None
    act_power: Decimal | None = None
    total_act_power: Decimal | None = None
    aenergy: Counter = Counter()
    total_act: Decimal | None = None
    total_act_energy: Decimal | None = None


class Notification(msgspec.Struct, frozen=True):
    method: str | None = None
    params: dict[str, msgspec.Raw] = {}


_notification = msgspec.json.Decoder(Notification)
_component = msgspec.json.Decoder(Component)
_seconds = msgspec.json.Decoder(Decimal | None)
_flag = msgspec.json.Decoder(bool)


def read(packet: Packet) -> Heard:
    """One sample for each channel that told its power or its counter. Errors: ``Unreadable``."""
    what, _, rest = packet.suffix.partition("/")
    match what:
        case "events" if rest == "rpc":
            return _notified(packet)
        case "status":
            return _state(packet, rest)
        case "online":
            return Heard(online=decoded(_flag, packet.payload))
        case "announce" | "debug" | "events":
            return NOTHING
        case _ if rest == "rpc":
            return NOTHING  # the answer to a call: it goes to the caller's name
    raise Unreadable("wrong_topic", f"a Shelly meter does not speak under {packet.suffix[:60]}")


def _notified(packet: Packet) -> Heard:
    told = decoded(_notification, packet.payload)
    if told.method not in ("NotifyStatus", "NotifyFullStatus"):
        return NOTHING
    components = [
        (channel, decoded(_component, raw))
        for name, raw in told.params.items()
        if (channel := _channel(name)) is not None
    ]
    if not any(map(_measures, (component for _, component in components))):
        return Heard(relays=_relays(components))
    seconds = decoded(_seconds, told.params.get("ts", b"null"))
    if seconds is None:
        raise Unreadable("clock_not_set", "params.ts is missing: the device does not know the time")
    return Heard(_samples(components, moment_of(seconds, "params.ts", per_second=1)), _relays(components))


def _state(packet: Packet, name: str) -> Heard:
    channel = _channel(name)
    if channel is None:
        return NOTHING
    component = decoded(_component, packet.payload)
    components = [(channel, component)]
    if not _measures(component):
        return Heard(relays=_relays(components))
    taken_at = _moment(packet, component.aenergy.minute_ts)
    return NOTHING if taken_at is None else Heard(_samples(components, taken_at), _relays(components))


def _moment(packet: Packet, minute_ts: Decimal | None) -> datetime | None:
    """When a state held: on receipt, but not later than the minute that its counter was in.

    The counter's minute alone would put the state before notifications of the same minute, and the counter
    would seem to fall. A state that the broker repeats has no new moment, so it is left out unless its minute
    tells it: the counter of the next one holds its energy.
    """
    if minute_ts is not None:
        latest = moment_of(minute_ts, "aenergy.minute_ts", per_second=1) + COUNTED_MINUTE
        if latest <= packet.received_at:
            return latest
    return None if packet.repeated else packet.received_at


def _channel(name: str) -> str | None:
    """The first of each kind is the device itself; ``None`` for what measures nothing, such as ``wifi``."""
    kind, _, number = name.partition(":")
    if kind not in MEASURING or not (number.isascii() and number.isdigit()):
        return None
    return "" if number == "0" else f"{MEASURING[kind]}:{number}"


def _measures(component: Component) -> bool:
    return any(value is not None for value in (*_powers(component), *_counters(component)))


def _powers(component: Component) -> tuple[Decimal | None, ...]:
    return component.apower, component.act_power, component.total_act_power


def _counters(component: Component) -> tuple[Decimal | None, ...]:
    return component.aenergy.total, component.total_act, component.total_act_energy


def _samples(components: list[tuple[str, Component]], taken_at: datetime) -> list[tuple[str, Sample]]:
    told: dict[str, tuple[list[Decimal], list[Decimal]]] = {}
    for channel, component in components:
        powers, counters = told.setdefault(channel, ([], []))
        powers += [value for value in _powers(component) if value is not None]
        counters += [value for value in _counters(component) if value is not None]
    return [
        (channel, _sample(channel, powers, counters, taken_at))
        for channel, (powers, counters) in told.items()
        if powers or counters
    ]


def _sample(channel: str, powers: list[Decimal], counters: list[Decimal], taken_at: datetime) -> Sample:
    if len(powers) > 1 or len(counters) > 1:
        raise Unreadable("ambiguous", f"two components tell the power or the counter of {channel or 'the device'}")
    power = milli(next(iter(powers), None), "apower", highest=HIGHEST_W)
    energy = milli(next(iter(counters), None), "aenergy.total", highest=HIGHEST_WH)
    return Sample(taken_at, 0, 0, power, energy, None, content_hash(taken_at.timestamp(), power, energy))


def _relays(components: list[tuple[str, Component]]) -> list[tuple[str, bool]]:
    return [(channel, component.output) for channel, component in components if component.output is not None]
