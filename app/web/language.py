"""Which language the reader reads: the one chosen before, else Chinese."""

from __future__ import annotations

from flask import Flask, has_request_context, request
from flask_babel import Babel

LANGUAGES = {"zh_CN": "中文", "en": "English"}
COOKIE = "language"


def chosen() -> str | None:
    wanted = request.cookies.get(COOKIE) if has_request_context() else None
    return wanted if wanted in LANGUAGES else None


def register(app: Flask) -> None:
    Babel(app, locale_selector=chosen)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = f"{app.root_path}/translations"
