"""The web edge: pages for people, an API for programs."""

from __future__ import annotations

from flask import Flask
from flask_wtf import CSRFProtect


def register(app: Flask) -> None:
    """Hang the web edge on the application. Imported here, so that importing the package stays light."""
    from app.web import access, api, errors, formats, headers, language, layout, pages, samples
    from app.web.limits import limiter

    access.login_manager.init_app(app)
    CSRFProtect(app)
    limiter.init_app(app)
    language.register(app)
    formats.register(app)
    layout.register(app)
    samples.register(app)
    headers.register(app)
    app.before_request(access.guard(app))
    errors.register(app)
    pages.register(app)
    api.register(app)
