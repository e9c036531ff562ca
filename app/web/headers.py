"""What every answer says to the browser: what a page may load, and who may frame it (nobody)."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

from flask import Flask, request
from werkzeug.wrappers import Response

# No inline script or style sheet exists; style attributes are set by charts and the calendar.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
A_YEAR = 31_536_000


def register(app: Flask) -> None:
    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        if app.config["SESSION_COOKIE_SECURE"]:
            response.headers["Strict-Transport-Security"] = f"max-age={A_YEAR}"
        if request.endpoint == "static":  # the name holds the content's hash
            response.cache_control.public = True
            response.cache_control.max_age = A_YEAR
            response.cache_control.immutable = True
            response.cache_control.no_cache = None
            _compress(response, Path(app.static_folder or ""))
        else:
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _compress(response: Response, folder: Path) -> None:
    """Built files go compressed. Pages do not: they hold secrets beside what a stranger may have written."""
    path = folder / (request.view_args or {}).get("filename", "")
    compressible = path.suffix in (".js", ".css", ".svg") and response.status_code == 200
    if not compressible or "gzip" not in request.accept_encodings:
        return
    response.direct_passthrough = False
    response.set_data(_compressed(path))
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")


@lru_cache(maxsize=64)
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)
