"""One simulated meter: its load, its counter, its clock, its buffer, its relay, and what goes wrong with it.

Knows no connection: ``due`` gives what it would publish now, ``hear`` takes what it is told. A native one keeps
each reading until the application acknowledges it, and sends it again after a while or when it is asked.
"""

from __future__ import annotations

import json
import math
import random
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.kernel.interval import Interval
from devices.rules.evidence import Dialect
from devices.rules.topic import sparkplug_topic, topic_of
from devices.simulating import speaking
from devices.simulating.faults import Fault, Mishap, now_on
from devices.simulating.load import Load
from devices.simulating.speaking import Said
from devices.simulating.truth import Truth

SECOND = timedelta(seconds=1)
SENT_AGAIN_AFTER_S = 10.0
MOST_IN_A_MESSAGE = 100
MOST_STANDING_BY = 3600.0
HELD_BACK = 5
GARBAGE = b'{"v":1,"boot":'
Message = tuple[str, bytes]


@dataclass
class Outbox:
    """Readings that were not acknowledged yet, by boot and number. Kept through reboots and lost connections."""

    boot: int
    next_seq: int = 1
    waiting: OrderedDict[tuple[int, int], Said] = field(default_factory=OrderedDict)
    sent_at: dict[tuple[int, int], float] = field(default_factory=dict)
    asked: set[tuple[int, int]] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def add(self, taken_at: datetime, watts: float, energy_wh: float) -> int:
        with self.lock:
            seq = self.next_seq
            self.waiting[self.boot, seq] = Said(seq, taken_at, watts, energy_wh)
            self.next_seq += 1
        return seq

    def reboot(self) -> None:
        with self.lock:
            self.boot, self.next_seq = self.boot + 1, 1

    def due(self, now: float, *, again_after_s: float = SENT_AGAIN_AFTER_S) -> list[tuple[int, list[Said], bool]]:
        """What has to be sent now, marked as sent: (boot, readings, whether it was sent or asked for before)."""
        portions: list[tuple[int, list[Said], bool]] = []
        with self.lock:
            for key, said in self.waiting.items():
                before = self.sent_at.get(key)
                if key not in self.asked and before is not None and now - before < again_after_s:
                    continue
                again = before is not None
                if not portions or portions[-1][0] != key[0] or portions[-1][2] != again or _full(portions[-1][1]):
                    portions.append((key[0], [], again))
                portions[-1][1].append(said)
                self.sent_at[key] = now
            self.asked.clear()
        return portions

    def acknowledged(self, payload: bytes) -> list[tuple[int, int]]:
        """Forget what the application says it has. Returns what that is."""
        told = json.loads(payload)
        with self.lock:
            safe = [key for key in self.waiting if key[0] == told["boot"] and key[1] <= told["upto"]]
            for key in safe:
                del self.waiting[key]
                self.sent_at.pop(key, None)
        return safe

    def asked_for(self, payload: bytes) -> None:
        told = json.loads(payload)
        last = math.inf if told["last"] is None else told["last"]
        with self.lock:
            self.asked |= {key for key in self.waiting if key[0] == told["boot"] and told["first"] <= key[1] <= last}


class Device:
    """See the module. ``truth`` hears of everything that really happened."""

    def __init__(
        self,
        code: str,
        dialect: Dialect,
        load: Load,
        *,
        boot: int = 1,
        energy_wh: float = 0.0,
        mishaps: Sequence[Mishap] = (),
        truth: Truth | None = None,
        signs_with: tuple[str, Ed25519PrivateKey] | None = None,
    ) -> None:
        self.code, self.dialect, self.load = code, dialect, load
        self.outbox = Outbox(boot)
        self.energy_wh = energy_wh
        self.mishaps = list(mishaps)
        self.truth = truth or Truth()
        self.signs_with = signs_with
        self.on = True
        self.read_at: datetime | None = None
        self._chance = random.Random(code)  # noqa: S311 (to be repeated, not to be secret)
        self._happened: set[Mishap] = set()
        self._queue: list[Message] = []
        self._held: list[Message] = []
        self._historical: list[Said] = []
        self._birth, self._seq, self._born = boot, 0, False

    @property
    def hears(self) -> list[str]:
        """The topics on which it is told something."""
        match self.dialect:
            case Dialect.NATIVE:
                return [topic_of(self.code, word) for word in ("ack", "backfill", "cmd")]
            case Dialect.TASMOTA:
                return [topic_of(self.code, "cmnd/POWER")]
            case Dialect.SHELLY:
                return [topic_of(self.code, "rpc")]
            case Dialect.ZIGBEE2MQTT:
                return [topic_of(self.code, f"{self.code}/set")]
            case Dialect.SPARKPLUG:
                return [sparkplug_topic(self.code, "NCMD")]

    def connected(self) -> None:
        """A connection stands (again): a node has to be born before it says anything."""
        self._born = False

    def read(self, now: datetime, runs: Iterable[Interval] = ()) -> None:
        """Take a reading and lay ready what is to be sent. ``now`` is the true time."""
        faults = now_on(self.mishaps, now)
        self._suffer(faults)
        run = next((one for one in runs if one.contains(now)), None) if self.on else None
        watts = self.load.watts(now, run) if self.on else 0.0
        if self.read_at is not None:
            used = watts * min((now - self.read_at) / SECOND, MOST_STANDING_BY) / 3600
            self.energy_wh += used
            self.truth.used(used)
        self.read_at = now
        drift = faults[Fault.DRIFT].drift if Fault.DRIFT in faults else timedelta()
        said = Said(0, now + drift, watts, self.energy_wh)
        if self.dialect is Dialect.NATIVE:
            seq = self.outbox.add(said.at, watts, self.energy_wh)
            self.truth.took(self.outbox.boot, said._replace(seq=seq))
        else:
            self._say(said, lost=Fault.OUTAGE in faults)
        if Fault.GARBAGE in faults and self._chance.random() < 0.2:
            self._queue.append((self._topic(self._usual_suffix), GARBAGE))
            self.truth.garbage += 1

    def due(self, now: datetime, *, monotonic: float) -> list[Message]:
        """(topic, payload) to publish now; nothing during an outage."""
        faults = now_on(self.mishaps, now)
        if Fault.OUTAGE in faults:
            return []
        self._queue += [self._native(*portion) for portion in self.outbox.due(monotonic)]
        ready, self._queue = self._queue, []
        if Fault.REORDER in faults:
            self._held += ready
            if len(self._held) < HELD_BACK:
                return []
            ready = self._held
            self._chance.shuffle(ready)
            self._held = []
        elif self._held:
            ready, self._held = self._held + ready, []
        if Fault.DUPLICATE in faults:
            ready = [message for message in ready for _ in range(self._chance.randint(1, 3))]
        return ready

    def hear(self, topic: str, payload: bytes) -> None:
        """What the house says to it. What it does not understand it ignores, as devices do."""
        word = topic.rpartition("/")[2]
        with suppress(ValueError, KeyError, TypeError):
            match self.dialect, word:
                case Dialect.NATIVE, "ack":
                    self.truth.safe(self.outbox.acknowledged(payload))
                case Dialect.NATIVE, "backfill":
                    self.outbox.asked_for(payload)
                case Dialect.NATIVE, "cmd":
                    self._switch(json.loads(payload)["power"] == "on")
                case Dialect.TASMOTA, _:
                    self._switch(payload == b"ON")
                case Dialect.SHELLY, _:
                    self._switch(bool(json.loads(payload)["params"]["on"]))
                case Dialect.ZIGBEE2MQTT, _:
                    self._switch(json.loads(payload)["state"] == "ON")
                case Dialect.SPARKPLUG, _:
                    self._born = False

    def _suffer(self, faults: dict[Fault, Mishap]) -> None:
        """What happens once at the start of a mishap."""
        for fault, mishap in faults.items():
            if mishap in self._happened:
                continue
            self._happened.add(mishap)
            self.truth.faults.append(mishap)
            if fault in (Fault.REBOOT, Fault.RESET):
                self.outbox.reboot()
                self._birth, self._born = self._birth + 1, False
            if fault is Fault.RESET:
                self.energy_wh = 0.0

    def _switch(self, on: bool) -> None:
        self.on = on
        match self.dialect:
            case Dialect.NATIVE:
                told = ("relay", speaking.compact({"on": on}))
            case Dialect.TASMOTA:
                told = ("stat/POWER", b"ON" if on else b"OFF")
            case Dialect.SHELLY:
                notice = {"method": "NotifyStatus", "params": {"switch:0": {"id": 0, "output": on}}}
                told = ("events/rpc", speaking.compact(notice))
            case _:
                told = (self.code, speaking.compact({"state": "ON" if on else "OFF"}))
        self._queue.append((self._topic(told[0]), told[1]))

    def _say(self, said: Said, *, lost: bool) -> None:
        """The one reading of a device that does not count them. Without a network it is gone, but for a node's."""
        if lost and self.dialect is not Dialect.SPARKPLUG:
            self.truth.lost(said)
            return
        self.truth.took(0, said)
        if lost:
            self._historical.append(said)
            return
        match self.dialect:
            case Dialect.TASMOTA:
                payload = speaking.tasmota_message(said.at, said.watts, said.energy_wh)
            case Dialect.SHELLY:
                payload = speaking.shelly_message(self.code, said.at, said.watts, said.energy_wh)
            case Dialect.ZIGBEE2MQTT:
                payload = speaking.zigbee_message(said.at, said.watts, said.energy_wh, on=self.on)
            case _:
                self._speak_as_node(said)
                return
        self._queue.append((self._topic(self._usual_suffix), payload))

    def _speak_as_node(self, said: Said) -> None:
        watts, energy_wh = said.watts, said.energy_wh
        if not self._born:
            birth = speaking.sparkplug_birth(said.at, birth=self._birth, watts=watts, energy_wh=energy_wh)
            self._queue.append((self._topic("NBIRTH"), birth))
            self._born, self._seq = True, 0
        else:
            self._node_data(said, historical=False)
        waiting, self._historical = self._historical, []
        for one in waiting:
            self._node_data(one, historical=True)

    def _node_data(self, said: Said, *, historical: bool) -> None:
        self._seq = (self._seq + 1) % 256
        payload = speaking.sparkplug_data(
            said.at, seq=self._seq, watts=said.watts, energy_wh=said.energy_wh, historical=historical
        )
        self._queue.append((self._topic("NDATA"), payload))

    def _native(self, boot: int, portion: list[Said], again: bool) -> Message:
        body = speaking.native_message(boot, portion, backfill=again)
        if self.signs_with is None:
            return self._topic("data"), body
        name, key = self.signs_with
        return self._topic("signed"), speaking.signed_message(body, key_name=name, key=key)

    @property
    def _usual_suffix(self) -> str:
        match self.dialect:
            case Dialect.TASMOTA:
                return "tele/SENSOR"
            case Dialect.SHELLY:
                return "events/rpc"
            case Dialect.ZIGBEE2MQTT:
                return self.code
            case Dialect.SPARKPLUG:
                return "NDATA"
        return "data"

    def _topic(self, suffix: str) -> str:
        return (sparkplug_topic if self.dialect is Dialect.SPARKPLUG else topic_of)(self.code, suffix)


def _full(portion: list[Said]) -> bool:
    return len(portion) >= MOST_IN_A_MESSAGE
