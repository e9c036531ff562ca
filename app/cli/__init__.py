"""Commands: ``flask --app app …``. Each file is one subject."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

COMMANDS = {
    "up": "app.cli.up",
    "work": "app.cli.work",
    "listen": "app.cli.devices",
    "simulate": "app.cli.devices",
    "replay": "app.cli.devices",
    "subsidy": "app.cli.subsidy",
}


def register(app: Flask) -> None:
    """Hang every command on the application. Imported here, so that a web process stays light."""
    for name, module in COMMANDS.items():
        app.cli.add_command(getattr(import_module(module), name))
