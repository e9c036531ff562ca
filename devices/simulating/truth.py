"""What really happened with a simulated meter, written down beside it so that what was metered can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from devices.simulating.faults import Mishap
from devices.simulating.speaking import Said


@dataclass
class Truth:
    """Of one meter. ``readings`` are those it took and did not lose, by (boot, seq) and moment, as it saw them.

    ``told_safe`` are the numbers that the application acknowledged; ``gone`` is when a reading was lost at the
    device. ``energy_wh`` is all that was used, whatever the counter says of it.
    """

    readings: list[tuple[int, Said]] = field(default_factory=list)
    told_safe: set[tuple[int, int]] = field(default_factory=set)
    gone: list[datetime] = field(default_factory=list)
    faults: list[Mishap] = field(default_factory=list)
    energy_wh: float = 0.0
    garbage: int = 0

    def used(self, energy_wh: float) -> None:
        self.energy_wh += energy_wh

    def took(self, boot: int, said: Said) -> None:
        self.readings.append((boot, said))

    def lost(self, said: Said) -> None:
        self.gone.append(said.at)

    def safe(self, numbers: Iterable[tuple[int, int]]) -> None:
        self.told_safe.update(numbers)

    def write(self, path: Path) -> None:
        """One line of JSON for the whole, then one for each reading: boot, seq, time, watts, watt-hours."""
        whole = {
            "readings": len(self.readings), "told_safe": len(self.told_safe), "energy_wh": round(self.energy_wh, 3),
            "garbage": self.garbage, "gone": [moment.isoformat() for moment in self.gone],
            "faults": [
                {"fault": one.fault, "from": one.when.start.isoformat(), "to": one.when.end.isoformat()}
                for one in self.faults
            ],
        }  # fmt: skip
        with path.open("w") as file:
            file.write(json.dumps(whole) + "\n")
            for boot, said in self.readings:
                file.write(json.dumps([boot, said.seq, said.at.isoformat(), said.watts, said.energy_wh]) + "\n")
