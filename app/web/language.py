"""Which language the reader reads: the one chosen in this browser, else the one they chose elsewhere, else Chinese."""

from __future__ import annotations

from flask import Flask, has_request_context, request
from flask_babel import Babel
from flask_login import current_user

from app.identity.rules.language import Language

LANGUAGES = {Language.CHINESE: "中文", Language.ENGLISH: "English"}
COOKIE = "language"


def chosen() -> Language | None:
    if not has_request_context():
        return None
    if (wanted := request.cookies.get(COOKIE)) in LANGUAGES:
        return Language(wanted)
    return current_user.language if current_user.is_authenticated else None


def register(app: Flask) -> None:
    Babel(app, locale_selector=chosen)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = f"{app.root_path}/translations"
