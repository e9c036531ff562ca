"""The words, colours and icons of states and kinds: each is said the same way on every page."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from app.web.words import billing, booking, catalogue, evaluation, metering, permissions
from app.web.words.state import State

_SUBJECTS = (booking, catalogue, metering, billing, evaluation, permissions)

# Kinds of different things share their stored word (a booked reservation, booked evidence), and a
# StrEnum equals its word: look up by kind and name.
_STATES = {(type(key).__name__, str(key)): state for subject in _SUBJECTS for key, state in subject.STATES}
_WORDS = {(type(key).__name__, str(key)): word for subject in _SUBJECTS for key, word in subject.WORDS}


def state_of(key: StrEnum | str) -> State:
    return _STATES[type(key).__name__, str(key)]


def word_of(key: StrEnum) -> Any:
    return _WORDS[type(key).__name__, str(key)]


def unit_said(unit: str) -> str:
    """The unit of a statement's line or of a policy's number in the reader's language."""
    return str(billing.UNITS.get(unit) or billing.POLICY_UNITS.get(unit, unit))


def field_said(field: str) -> str:
    """The field of a platform, which is stored as the annexes word it, in the reader's language."""
    return str(catalogue.FIELDS.get(field, field))


def problem_sentence(reason: str) -> str:
    """Why a session was not charged."""
    return str(billing.PROBLEMS.get(reason, reason))
