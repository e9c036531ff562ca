"""Which language the reader reads: the one chosen in this browser, else the one they chose elsewhere, else Chinese."""

from __future__ import annotations

from functools import cache

from babel import Locale
from babel.support import Translations
from flask import Flask, has_request_context, request
from flask_babel import Babel, force_locale, get_locale, get_translations, gettext
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


def reader_language() -> Language:
    """The language of this page, this letter or this calendar, whatever has decided it."""
    locale = get_locale()
    return next(language for language in Language if Locale.parse(language.value) == locale)


def in_language(language: Language, sentence: str) -> str:
    """A Chinese ``msgid(…)`` in this language, whoever is asking."""
    with force_locale(language.value):
        return gettext(sentence)


def register(app: Flask) -> None:
    Babel(app, locale_selector=chosen)
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda words: _words(get_locale()).ugettext(words),
        ngettext=lambda one, many, count: _words(get_locale()).ungettext(one, many, count),
        newstyle=True,
    )
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = f"{app.root_path}/translations"


@cache
def _words(locale: Locale | None) -> Translations:
    """The catalogue of the language that is spoken now. A list of fifty rows says several hundred words, and
    Flask-Babel spells the locale out for each to find it.
    """
    return get_translations()
