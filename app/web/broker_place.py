"""Where devices find the broker, and the certificate that they check it by, as far as this installation knows."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from flask import current_app, request, url_for

from devices.broker import DEFAULT_PORT
from devices.broker_settings import ANYWHERE, HOST
from devices.certifying import AUTHORITY, fingerprint
from devices.rules.setup import Place


def broker_place() -> Place:
    """The broker's address for a device's settings."""
    config = current_app.config
    if config["MQTT_URL"]:
        address = urlsplit(config["MQTT_URL"])
        host, port, tls = address.hostname or HOST, address.port or 1883, address.scheme == "mqtts"
    else:
        host, tls = config["MQTT_HOST"], bool(config["MQTT_TLS_PORT"])
        port = config["MQTT_TLS_PORT"] or config["MQTT_PORT"] or _usual_port()
        if host == ANYWHERE:  # then by the name that this site has for its reader
            host = urlsplit(config["PUBLIC_URL"] or request.host_url).hostname or HOST
    certificate = authority_file()
    if not tls or certificate is None:
        return Place(host, port, tls)
    address_of_it = url_for("meters.authority", _external=True)
    return Place(host, port, tls, authority=address_of_it, fingerprint=fingerprint(certificate))


def is_embedded() -> bool:
    """Whether the broker is ours, so that accounts reach it by themselves."""
    return not current_app.config["MQTT_URL"]


def hears_this_machine_only() -> bool:
    return is_embedded() and current_app.config["MQTT_HOST"] == HOST


def authority_file() -> Path | None:
    """The certificate of the authority, where it is one's own and is there."""
    url = current_app.config["MQTT_URL"]
    if url:
        named = parse_qs(urlsplit(url).query).get("ca")
        path = Path(named[0]) if named else None
    elif current_app.config["MQTT_TLS_PORT"]:
        path = current_app.config["FOLDER"] / "broker" / "tls" / AUTHORITY
    else:
        path = None
    return path if path is not None and path.is_file() else None


def _usual_port() -> int:
    try:
        return int((current_app.config["FOLDER"] / "broker" / "port").read_text())
    except (OSError, ValueError):
        return DEFAULT_PORT
