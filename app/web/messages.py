"""Which sentences people can read, found in the source; ``python -m app.web.messages`` adds new ones to the catalogue.

Message ids are Chinese and are what a Chinese reader sees; the English catalogue has every one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent.parent
ENGLISH = Path(__file__).parent / "translations" / "en" / "LC_MESSAGES" / "messages.po"
PACKAGES = ("app", "billing", "devices")
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]


def main() -> None:
    """Write the catalogue again: new ids wait for their translation, those that are gone are left out."""
    known = english()
    catalogue = Catalog(locale="en", header_comment="# What people read, in English.", fuzzy=False)
    for message in messages():
        if message.id:
            translated = known.get(message.id)
            catalogue.add(message.id, translated.string if translated else None)
    with ENGLISH.open("wb") as target:
        write_po(target, catalogue, sort_output=True, width=120)


def english() -> Catalog:
    with ENGLISH.open("rb") as source:
        return read_po(source, locale="en")


def messages() -> Catalog:
    """Every id: what is given to gettext, and the sentence of every refusal."""
    keywords = {**DEFAULT_KEYWORDS, "_l": None, "lazy_gettext": None, "msgid": None, **dict.fromkeys(refusals())}
    found = Catalog()
    for package in PACKAGES:
        for file, line, message, comments, context in extract_from_dir(str(ROOT / package), METHODS, keywords=keywords):
            found.add(message, locations=[(f"{package}/{file}", line)], auto_comments=comments, context=context)
    return found


def refusals() -> set[str]:
    """The names of the refusal and of every class that comes from it."""
    bases = dict(_classes())
    names = {"Refusal"}
    while more := {name for name, parents in bases.items() if parents & names} - names:
        names |= more
    return names


def _classes() -> Iterator[tuple[str, set[str]]]:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield node.name, {base.id for base in node.bases if isinstance(base, ast.Name)}


if __name__ == "__main__":
    main()
