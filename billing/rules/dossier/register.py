"""What a dossier has told so far, so that it is told once only. Where it is kept is not said here: not in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from billing.rules.dossier.wrong import DoesNotHold


class Register(Protocol):
    """What was told, by kind and key."""

    def add(self, kind: str, key: str, told: str) -> str | None:
        """Keep what is told of a key. Returns what was told of it before, which then stays."""

    def get(self, kind: str, key: str) -> str | None:
        """What was told of a key."""

    def in_order(self, kind: str) -> Iterator[tuple[str, str]]:
        """All keys of a kind, ascending, and what was told of them."""


def number_of(name: str, which: str, told: object) -> int:
    """An id. Errors: ``DoesNotHold`` where it is another thing: 7 and 7.0 would be two keys."""
    if type(told) is not int:
        raise DoesNotHold(name, which, expected="a number", found=repr(told))
    return told
