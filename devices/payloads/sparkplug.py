"""Sparkplug B."""

from __future__ import annotations

from devices.payloads.heard import Heard, Packet
from devices.payloads.unreadable import Unreadable


def read(packet: Packet) -> Heard:
    raise Unreadable("wrong_topic", f"nothing is read under {packet.suffix[:60]}")
