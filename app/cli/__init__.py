"""Commands: ``flask --app app …``. Each file is one subject."""

from __future__ import annotations

from importlib import import_module

import click
from flask.cli import AppGroup

COMMANDS = {
    "up": "app.cli.up",
    "work": "app.cli.work",
    "broker": "app.cli.broker",
    "listen": "app.cli.devices",
    "simulate": "app.cli.devices",
    "replay": "app.cli.devices",
    "billing": "app.cli.billing",
    "subsidy": "app.cli.subsidy",
    "verify": "app.cli.verify",
}


class Commands(AppGroup):
    """The commands, each imported when somebody asks for it: a web process never does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)
