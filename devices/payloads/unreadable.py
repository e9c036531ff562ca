"""Why a message cannot be read."""

from __future__ import annotations

from hashlib import blake2b


class Unreadable(Exception):
    """``reason`` is a word to count by; the text names the field and what is wrong with it."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail[:300])


def content_hash(*told: object) -> bytes:
    """Sixteen bytes that differ when what a reading says differs."""
    return blake2b(repr(told).encode(), digest_size=16).digest()
