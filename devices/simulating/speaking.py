"""What meters of each dialect publish: the other side of devices/payloads."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.kernel.clock import FACILITY_ZONE
from devices.payloads import sparkplug_message as sparkplug

POWER, ENERGY = 1, 2  # aliases of a Sparkplug node
MINUTE = timedelta(minutes=1)


class Said(NamedTuple):
    """One reading as the device took it: ``at`` by its own clock, watt-hours of its own counter."""

    seq: int
    at: datetime
    watts: float
    energy_wh: float


def native_message(
    boot: int, readings: Sequence[tuple[int, datetime, float, float]], *, backfill: bool = False
) -> bytes:
    """Native v1 of ``(seq, taken_at, watts, watt-hours)``."""
    told = [
        {"seq": seq, "at_ms": milliseconds(at), "power_w": round(watts, 1), "energy_wh": round(wh, 3)}
        for seq, at, watts, wh in readings
    ]
    return compact({"v": 1, "boot": boot, "readings": told} | ({"backfill": True} if backfill else {}))


def signed_message(body: bytes, *, key_name: str, key: Ed25519PrivateKey) -> bytes:
    """The envelope for ``signed``: the body stays as it is, to the byte."""
    signature = base64.b64encode(key.sign(body)).decode()
    return compact({"v": 1, "key": key_name, "sig": signature, "body": body.decode()})


def tasmota_message(taken_at: datetime, watts: float, energy_wh: float) -> bytes:
    """What a plug publishes under ``tele/SENSOR``, in its own local time."""
    local = taken_at.astimezone(FACILITY_ZONE).replace(tzinfo=None, microsecond=0)
    energy = {"Total": round(energy_wh / 1000, 5), "Power": round(watts), "Voltage": 228, "Factor": 0.96}
    return compact({"Time": local.isoformat(), "ENERGY": energy})


def shelly_message(code: str, taken_at: datetime, watts: float, energy_wh: float) -> bytes:
    """A notification under ``events/rpc``: watts and watt-hours, with the device's own time."""
    counter = {"total": round(energy_wh, 3), "minute_ts": int(taken_at.timestamp()) // 60 * 60}
    told = {"ts": round(taken_at.timestamp(), 2), "switch:0": {"id": 0, "apower": round(watts, 1), "aenergy": counter}}
    return compact({"src": code, "dst": f"{code}/events", "method": "NotifyStatus", "params": told})


def zigbee_message(taken_at: datetime, watts: float, energy_wh: float, *, on: bool = True) -> bytes:
    """What a bridge publishes under the plug's name, with ``last_seen`` switched on."""
    told = {"power": round(watts, 1), "energy": round(energy_wh / 1000, 4), "state": "ON" if on else "OFF"}
    return compact(
        told | {"linkquality": 120, "last_seen": taken_at.astimezone(UTC).isoformat(timespec="milliseconds")}
    )


def sparkplug_birth(taken_at: datetime, *, birth: int, watts: float, energy_wh: float) -> bytes:
    """NBIRTH: it gives the two metrics the numbers by which data names them."""
    payload = sparkplug.Payload(timestamp=milliseconds(taken_at), seq=0)
    payload.metrics.add(name=b"bdSeq", datatype=sparkplug.INT64, long_value=birth)
    payload.metrics.add(name=b"Node Control/Rebirth", datatype=sparkplug.BOOLEAN, boolean_value=False)
    payload.metrics.add(name=b"power_w", alias=POWER, datatype=sparkplug.DOUBLE, double_value=round(watts, 1))
    payload.metrics.add(name=b"energy_wh", alias=ENERGY, datatype=sparkplug.DOUBLE, double_value=round(energy_wh, 3))
    return bytes(payload.SerializeToString())


def sparkplug_data(taken_at: datetime, *, seq: int, watts: float, energy_wh: float, historical: bool = False) -> bytes:
    at = milliseconds(taken_at)
    payload = sparkplug.Payload(timestamp=at, seq=seq)
    for alias, value in ((POWER, round(watts, 1)), (ENERGY, round(energy_wh, 3))):
        metric = payload.metrics.add(alias=alias, timestamp=at, datatype=sparkplug.DOUBLE, double_value=value)
        if historical:
            metric.is_historical = True
    return bytes(payload.SerializeToString())


def sparkplug_death(birth: int) -> bytes:
    payload = sparkplug.Payload()
    payload.metrics.add(name=b"bdSeq", datatype=sparkplug.INT64, long_value=birth)
    return bytes(payload.SerializeToString())


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def compact(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()
