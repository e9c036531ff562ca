"""The tables of devices."""

from __future__ import annotations

from devices.models.alert import MeterAlert
from devices.models.meter import BEGINNING, DeviceKey, Meter, MeterProfile
from devices.models.power import PowerCommand, RelayState
from devices.models.received import (
    DeadLetter,
    DisputedReading,
    ReadingBatch,
    ReceivedSequence,
    SequenceGap,
    WireMemory,
)
from devices.models.seal import Seal, SealedBlock
from devices.models.session import LateChange, MeteringTask, UsageSession

__all__ = [
    "BEGINNING",
    "DeadLetter",
    "DeviceKey",
    "DisputedReading",
    "LateChange",
    "Meter",
    "MeterAlert",
    "MeterProfile",
    "MeteringTask",
    "PowerCommand",
    "ReadingBatch",
    "ReceivedSequence",
    "RelayState",
    "Seal",
    "SealedBlock",
    "SequenceGap",
    "UsageSession",
    "WireMemory",
]
