"""Commands: ``flask --app app …``. Each file is one subject."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Hang every command on the application."""
