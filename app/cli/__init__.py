"""Commands: ``flask --app app …``. Each file is one subject."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Hang every command on the application. Imported here, so that a web process stays light."""
    from app.cli.devices import listen, replay, simulate
    from app.cli.subsidy import subsidy
    from app.cli.up import up
    from app.cli.work import work

    for command in (up, listen, work, simulate, replay, subsidy):
        app.cli.add_command(command)
