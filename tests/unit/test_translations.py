"""Every sentence that people can meet has its English."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
REFUSALS = [
    *("Refusal", "InvalidInput", "NotFound", "NotAllowed", "Conflict", "SlotTaken", "PostgresFailed", "BrokerFailed"),
    *("AlreadyListening", "TraceUnreadable"),
]
PLACE = re.compile(r"%\((\w+)\)s")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def said() -> set[str]:
    keywords = {**DEFAULT_KEYWORDS, **dict.fromkeys(["lazy_gettext", "_l", *REFUSALS])}
    with (ROOT / "babel.cfg").open() as settings:
        methods, options = parse_mapping_cfg(settings)
    found = extract_from_dir(
        ROOT,
        methods,
        options,
        keywords,
        directory_filter=lambda path: "/." not in str(path) and "node_modules" not in str(path),
    )
    return {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}


def english() -> Catalog:
    with (ROOT / "app/web/translations/en/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale="en")


def test_every_sentence_has_its_english():
    catalogue = english()
    known = {
        (one.id if isinstance(one.id, str) else one.id[0])
        for one in catalogue
        if one.id and (one.string if isinstance(one.string, str) else all(one.string))
    }
    assert sorted(said() - known - {""}) == []


def test_english_fills_the_same_places_and_holds_no_chinese():
    for one in english():
        ids = [one.id] if isinstance(one.id, str) else list(one.id)
        texts = [one.string] if isinstance(one.string, str) else list(one.string)
        for text in texts if one.id else []:
            assert set(PLACE.findall(text)) == set(PLACE.findall(ids[0])), ids[0]
            assert not CHINESE.search(text), text


def test_templates_say_nothing_in_chinese_outside_the_catalogue():
    for path in (ROOT / "app/web/templates").glob("*.html"):
        bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
        assert CHINESE.findall(bare) in ([], ["中", "文"]), path.name
