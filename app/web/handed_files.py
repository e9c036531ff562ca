"""Files on their way through a form and back: room for them, what came, and how they are given out."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint, request
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from app.booking.rules.service import MOST_FILE_BYTES, HandedFile

FORM_BYTES = 64 * 1024


def make_room(pages: Blueprint, view: str) -> None:
    """Files sent to ``view`` may be large. Said before anything reads the form, the CSRF check included."""

    @pages.url_value_preprocessor
    def allow(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if endpoint == f"{pages.name}.{view}":
            request.max_content_length = MOST_FILE_BYTES + FORM_BYTES


def handed(sent: FileStorage) -> HandedFile:
    return HandedFile(sent.filename or "", sent.mimetype, sent.read())


def given_out(name: str, content: bytes) -> Response:
    """To be saved, never shown in the browser: it may be anything."""
    answer = Response(content, mimetype="application/octet-stream")
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
