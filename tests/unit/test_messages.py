from __future__ import annotations

import re

import jinja2.lexer
import pytest
from jinja2 import Environment

from app.web.messages import ROOT, english, messages

CHINESE = re.compile("[\u3400-\u9fff]")
PLACES = re.compile(r"%\(\w+\)[sd]")
TEMPLATES = sorted((ROOT / "app" / "web" / "templates").glob("*.html"))


def texts(message) -> list[str]:
    return [message] if isinstance(message, str) else list(message)


def test_every_sentence_has_its_english():
    known = english()
    for message in messages():
        if not message.id:
            continue
        translated = known.get(message.id)
        assert translated is not None, message.id
        assert all(texts(translated.string)), message.id


def test_a_translation_has_the_places_of_its_sentence():
    for message in english():
        for text in texts(message.string):
            assert set(PLACES.findall(text)) == set(PLACES.findall(texts(message.id)[0])), message.id


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_shows_chinese_past_the_catalogue(template):
    """What stands in the page itself is text, not a message: an English reader could not read it."""
    tokens = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).lex(template.read_text())
    for line, kind, text in tokens:
        if kind == jinja2.lexer.TOKEN_DATA:
            assert not CHINESE.search(text), f"line {line}: {text.strip()}"
