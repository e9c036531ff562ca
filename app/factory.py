"""Puts the application together: settings, database, web, commands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from app import web

# Every table must be known before a migration compares them.
from app.booking import models as _booking  # noqa: F401
from app.cli import Commands
from app.kernel import audit as _audit  # noqa: F401
from app.kernel.db import db, migrate
from app.kernel.postgres import PrivatePostgres
from app.kernel.secrets import key_for, master_key
from billing import models as _billing  # noqa: F401
from config import Config
from devices import models as _devices  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent


def create_app(**overrides: Any) -> Flask:
    """The application. ``overrides`` replace Flask settings (tests give DATABASE_URL, FOLDER …)."""
    config = Config.from_environment(ROOT)
    folder = Path(overrides.pop("FOLDER", config.folder))
    master = master_key(folder)
    app = Flask("app", root_path=str(ROOT / "app" / "web"), static_folder="static", template_folder="templates")
    app.cli = Commands(app.name)
    app.config.from_mapping(
        FOLDER=folder,
        MASTER_KEY=master,
        SECRET_KEY=key_for("sessions", master=master),
        SQLALCHEMY_DATABASE_URI=config.database_url or PrivatePostgres(folder / "postgres").url,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10},
        MQTT_URL=config.mqtt_url,
        MQTT_HOST=config.mqtt_host,
        MQTT_PORT=config.mqtt_port,
        MQTT_TLS_PORT=config.mqtt_tls_port,
        HOST=config.host,
        PORT=config.port,
        PUBLIC_URL=config.public_url,
        MAIL_URL=config.mail_url,
        MAIL_FROM=config.mail_from,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.secure_cookies,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        MAX_CONTENT_LENGTH=4 * 1024 * 1024,
        BABEL_DEFAULT_LOCALE="zh_CN",
        BABEL_DEFAULT_TIMEZONE="Asia/Shanghai",
    )
    app.config.update(overrides)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    web.register(app)
    return app
