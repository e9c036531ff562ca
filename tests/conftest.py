"""A real PostgreSQL for every test that asks: one server a run, one fresh database a test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import psycopg
import pytest
from app.kernel.postgres import PrivatePostgres
from flask import Flask
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from app import create_app
from app.kernel.db import db

TEMPLATE = "house_template"


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
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the run's server; its template database has every table."""
    folder = tmp_path_factory.mktemp("postgres")
    with PrivatePostgres(folder, durable=False) as server:
        url = make_url(server.url)
        with psycopg.connect(_dsn(url, "postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {TEMPLATE}")
        template = url.set(database=TEMPLATE).render_as_string(hide_password=False)
        with running_app(template, folder / "app"):
            flask_migrate.upgrade()
        yield url.render_as_string(hide_password=False)


def _dsn(url: object, database: str) -> str:
    plain = make_url(str(url)).set(drivername="postgresql", database=database)
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
