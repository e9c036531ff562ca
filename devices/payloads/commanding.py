"""How each dialect is told to switch its relay."""

from __future__ import annotations

import json
import re

from devices.rules.evidence import Dialect
from devices.rules.topic import topic_of

_SWITCH = re.compile(r"(?:switch:(\d{1,3}))?\Z")


def switching(dialect: Dialect, *, code: str, channel: str, on: bool, number: int) -> tuple[str, bytes] | None:
    """(topic, payload) that switches a relay, or ``None`` where this dialect has no such command for the channel.

    ``code`` is of the device with the connection, ``channel`` "" for that device itself; ``number`` is the command's.
    """
    match dialect:
        case Dialect.NATIVE:
            return topic_of(code, "cmd"), _json({"power": "on" if on else "off", "id": number})
        case Dialect.TASMOTA:
            return topic_of(code, f"cmnd/{channel or 'POWER'}"), b"ON" if on else b"OFF"
        case Dialect.SHELLY if found := _SWITCH.match(channel):
            # The answer comes to <src>/rpc, and the device may write below its own topic only.
            src, params = topic_of(code, "app"), {"id": int(found[1] or 0), "on": on}
            return topic_of(code, "rpc"), _json({"id": number, "src": src, "method": "Switch.Set", "params": params})
        case Dialect.ZIGBEE2MQTT:
            return topic_of(code, f"{channel or code}/set"), _json({"state": "ON" if on else "OFF"})
    return None


def _json(told: dict[str, object]) -> bytes:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
