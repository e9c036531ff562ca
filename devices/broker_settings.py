"""The settings files of the two brokers that we start."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from devices.accounts import Account

HOST = "127.0.0.1"
ANYWHERE = "0.0.0.0"  # noqa: S104 - only compared with what was set
LARGEST_MESSAGE = 256 * 1024


def mosquitto_settings(
    folder: Path,
    *,
    port: int,
    host: str,
    tls_port: int | None,
    certificate: tuple[Path, Path] | None,
    tells_denied: bool,
) -> str:
    """``mosquitto.conf``. With a ``certificate`` (and its key) ``host`` is heard on ``tls_port`` only."""
    settings: dict[str, object] = {
        "allow_anonymous": "false",
        "password_file": folder / "passwords",
        "acl_file": folder / "acl",
        "persistence": "true",
        "persistence_location": f"{folder}/",
        "autosave_interval": 30,
        "max_queued_messages": 0,
        "max_queued_bytes": 512 * 1024 * 1024,
        "max_inflight_messages": 4000,  # as many as a listener takes before it has stored the first
        "message_size_limit": 2 * LARGEST_MESSAGE,  # what is over our own limit is kept aside with its reason
        "persistent_client_expiration": "14d",
    }
    if os.geteuid() == 0:
        settings["user"] = "root"  # else it could not read its own files in a private folder
    lines = [f"{name} {value}" for name, value in settings.items()]
    if tells_denied:
        lines += [f"log_type {kind}" for kind in ("error", "warning", "notice", "information", "debug")]
    lines += [f"listener {port} {address}" for address in _open_addresses(host, protected=certificate is not None)]
    if certificate is not None:
        lines += [f"listener {tls_port} {host}", f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
    return "\n".join([*lines, ""])


def iotcore_settings(port: int, accounts: Sequence[Account]) -> str:
    users = "\n".join(f"{json.dumps(account.username)} = {json.dumps(account.password)}" for account in accounts)
    return f"""id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "{HOST}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {2 * LARGEST_MESSAGE}
max_inflight_count = 1000
dynamic_filters = true

[v5.1.connections.auth]
{users}
"""


def _open_addresses(host: str, *, protected: bool) -> list[str]:
    """Where no TLS is asked for: we ourselves come over the loopback interface."""
    if protected or host == HOST:
        return [HOST]
    return [host] if host == ANYWHERE else [HOST, host]
