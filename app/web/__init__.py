"""The web edge: pages for people, an API for programs."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_wtf import CSRFProtect
from werkzeug.routing import IntegerConverter, Map

HIGHEST_ID = 2**31 - 1


class RowNumber(IntegerConverter):
    """``<int:…>`` in an address: beyond the highest id there is no row, and so no page."""

    def __init__(self, url_map: Map, *args: Any, **given: Any) -> None:
        super().__init__(url_map, *args, **{"max": HIGHEST_ID, **given})


def register(app: Flask) -> None:
    """Hang the web edge on the application. Imported here, so that importing the package stays light."""
    from app.web import access, api, errors, formats, headers, language, layout, pages, samples
    from app.web.limits import limiter

    app.url_map.converters["int"] = RowNumber
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
