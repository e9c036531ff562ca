"""The web edge: pages for people, an API for programs."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    from app.web import access, errors

    access.login_manager.init_app(app)
    app.before_request(access.guard(app))
    errors.register(app)
