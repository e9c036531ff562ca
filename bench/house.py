"""What benches measure in: a private PostgreSQL with every table, and an application on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
from flask import Flask

from app import create_app
from app.kernel.db import db
from app.kernel.postgres import PrivatePostgres


@contextmanager
def house(*, durable: bool = True) -> Iterator[tuple[Flask, PrivatePostgres, Path]]:
    """Within its context. The folder goes away with it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server runs as somebody else
        with PrivatePostgres(folder / "postgres", durable=durable) as server:
            app = create_app(SQLALCHEMY_DATABASE_URI=server.url, FOLDER=folder)
            with app.app_context():
                flask_migrate.upgrade()
                try:
                    yield app, server, folder
                finally:
                    db.session.remove()
                    db.engine.dispose()
