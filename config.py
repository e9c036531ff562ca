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
    The private broker hears devices on ``mqtt_host``: with a ``mqtt_tls_port`` there and over TLS only.
    ``public_url`` is how people reach this site, where that is not how the server is
    called; without a ``mail_url`` no e-mail leaves.
    """

    folder: Path
    database_url: str | None
    mqtt_url: str | None
    mqtt_host: str
    mqtt_port: int | None
    mqtt_tls_port: int | None
    host: str
    port: int
    secure_cookies: bool
    public_url: str | None
    mail_url: str | None
    mail_from: str

    @classmethod
    def from_environment(cls, root: Path) -> Config:
        env = os.environ
        return cls(
            folder=Path(env.get("PILOTSHARE_FOLDER", root / "var")).resolve(),
            database_url=env.get("DATABASE_URL"),
            mqtt_url=env.get("MQTT_URL"),
            mqtt_host=env.get("PILOTSHARE_MQTT_HOST", "127.0.0.1"),
            mqtt_port=int(env.get("PILOTSHARE_MQTT_PORT", "0")) or None,
            mqtt_tls_port=int(env.get("PILOTSHARE_MQTT_TLS_PORT", "0")) or None,
            host=env.get("PILOTSHARE_HOST", "127.0.0.1"),
            port=int(env.get("PILOTSHARE_PORT", "8000")),
            secure_cookies=env.get("PILOTSHARE_SECURE_COOKIES", "0") == "1",
            public_url=env.get("PUBLIC_URL", "").rstrip("/") or None,
            mail_url=env.get("MAIL_URL"),
            mail_from=env.get("MAIL_FROM", "中试共享 <noreply@localhost>"),
        )
