"""A real PostgreSQL for every test that asks: one server a run, one fresh database a test."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import hypothesis
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from app import create_app
from app.kernel.db import db
from app.kernel.postgres import PrivatePostgres

TEMPLATE = "house_template"

# No test measures time: a busy machine may take long for an example.
hypothesis.settings.register_profile(
    "any machine",
    hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")


class FreshClient(FlaskClient):
    """A client whose every request has a context of its own, as on a server: nobody stays signed in for another."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)


@contextmanager
def running_app(url: str, folder: Path, **overrides: object) -> Iterator[Flask]:
    """An application on ``url`` whose connections are closed when the block ends."""
    app = create_app(
        SQLALCHEMY_DATABASE_URI=url,
        FOLDER=folder,
        TESTING=True,
        WTF_CSRF_ENABLED=False,
        RATELIMIT_ENABLED=False,
        **overrides,
    )
    app.test_client_class = FreshClient
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@contextmanager
def folder_for_servers() -> Iterator[Path]:
    """A folder that an unprivileged server can reach (pytest's own belong to the caller alone)."""
    with tempfile.TemporaryDirectory(prefix="pilotshare-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with folder_for_servers() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivatePostgres]:
    with folder_for_servers() as folder, PrivatePostgres(folder / "postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(postgres_server: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the run's server; its template database has every table."""
    return _with_template(postgres_server, tmp_path_factory.mktemp("template"))


@pytest.fixture
def postgres_log(postgres_server: PrivatePostgres) -> Callable[[], str]:
    """Call it for all that the server has logged."""
    return lambda: postgres_server.log.read_text(errors="replace")


def _with_template(server: PrivatePostgres, folder: Path) -> str:
    url = make_url(server.url)
    with psycopg.connect(_dsn(server.url, "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {TEMPLATE}")
    with running_app(url.set(database=TEMPLATE).render_as_string(hide_password=False), folder / "app"):
        flask_migrate.upgrade()
    return server.url


def _dsn(url: str, database: str) -> str:
    plain = make_url(url).set(drivername="postgresql", database=database)
    return plain.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def new_database(postgres: str) -> Iterator[Callable[[], str]]:
    """Call it for the address of one more fresh, migrated database."""
    numbers = itertools.count(1)
    url = make_url(postgres)
    with psycopg.connect(_dsn(postgres, "postgres"), autocommit=True) as admin:

        def create() -> str:
            name = f"house_{next(numbers)}"
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
            return url.set(database=name).render_as_string(hide_password=False)

        yield create


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    with running_app(database_url, tmp_path) as application:
        yield application


@pytest.fixture
def session(app: Flask) -> Session:
    """The session that use cases are given; a test commits when others have to see its facts."""
    return db.session()
