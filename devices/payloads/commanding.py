"""How each dialect is told to switch its relay."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from devices.rules.evidence import Dialect
from devices.rules.power import FailSafe
from devices.rules.topic import topic_of

POWER_ON_STATE = {FailSafe.STAY: 3, FailSafe.ON: 1, FailSafe.OFF: 0}
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


def _json(told: Mapping[str, object]) -> bytes:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def fail_safe_setting(dialect: Dialect, *, channel: str, fail_safe: FailSafe) -> str:
    """What makes a relay come up like this after its own power failed; "" where its firmware decides.

    All of them leave a relay as it is while they only lack a connection.
    Source: Tasmota ``PowerOnState``, Shelly ``Switch.SetConfig``, Zigbee2MQTT ``power_on_behavior``.
    """
    match dialect:
        case Dialect.TASMOTA:
            return f"PowerOnState {POWER_ON_STATE[fail_safe]}"
        case Dialect.SHELLY if found := _SWITCH.match(channel):
            wanted = {"initial_state": "restore_last" if fail_safe is FailSafe.STAY else fail_safe.value}
            params = {"id": int(found[1] or 0), "config": wanted}
            return _json({"id": 1, "method": "Switch.SetConfig", "params": params}).decode()
        case Dialect.ZIGBEE2MQTT:
            wanted = {"power_on_behavior": "previous" if fail_safe is FailSafe.STAY else fail_safe.value}
            return _json(wanted).decode()
    return ""
