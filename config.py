"""Every setting of an installation, read from the environment. Only the factory imports this."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Config:
    """Where this installation keeps its things and whom it talks to.

    ``database_url`` and ``mqtt_url`` are ``None`` when the private PostgreSQL and broker of
    ``make run`` are used; their addresses are then written to ``folder`` by the supervisor.
    """

    folder: Path
    database_url: str | None
    mqtt_url: str | None
    host: str
    port: int
    secure_cookies: bool

    @classmethod
    def from_environment(cls, root: Path) -> Config:
        env = os.environ
        return cls(
            folder=Path(env.get("PILOTSHARE_FOLDER", root / "var")).resolve(),
            database_url=env.get("DATABASE_URL"),
            mqtt_url=env.get("MQTT_URL"),
            host=env.get("PILOTSHARE_HOST", "127.0.0.1"),
            port=int(env.get("PILOTSHARE_PORT", "8000")),
            secure_cookies=env.get("PILOTSHARE_SECURE_COOKIES", "0") == "1",
        )
