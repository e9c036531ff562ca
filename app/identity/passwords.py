"""Passwords, hashed with argon2id."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_hasher = PasswordHasher()
_few_at_once = threading.Semaphore(2)  # each takes 64 MB and a fifth of a second
_nobody = _hasher.hash("nobody has this password")


def hashed(password: str) -> str:
    with _few_at_once:
        return _hasher.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Whether ``password`` is the one behind ``stored``. Takes as long where there is nobody to compare with."""
    with _few_at_once:
        try:
            return _hasher.verify(stored or _nobody, password) and stored is not None
        except (VerifyMismatchError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    return _hasher.check_needs_rehash(stored)
