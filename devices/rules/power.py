"""When a relay is to switch. When in doubt it is not switched off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

SILENT_FOR_LONG = timedelta(hours=1)
"""So long a meter has to be silent before its fail-safe state is wanted."""
FIRST_PAUSE = timedelta(seconds=2)
MOST_TRIES = 8
"""Sent at once and after 2, 4, 8 … 128 seconds: a little more than four minutes in all."""


class FailSafe(StrEnum):
    """What a relay does where no command reaches it."""

    STAY = "stay"
    ON = "on"
    OFF = "off"


class PowerCause(StrEnum):
    """Why a relay is to switch."""

    CHECKED_IN = "checked_in"
    RUN_ENDED = "run_ended"
    OVERRIDE = "override"
    FAIL_SAFE = "fail_safe"


class Progress(StrEnum):
    """How far a command has come. One that holds no more before it was confirmed is ``ENDED``."""

    WAITING = "waiting"
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Wish(NamedTuple):
    """How a relay should be, and why."""

    on: bool
    cause: PowerCause


@dataclass(frozen=True, slots=True)
class Override:
    """An operator's word. It holds until the next check-in or finish, or until it is taken back."""

    on: bool
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known about a relay's machine at one moment.

    ``running_since`` if it runs, or may: a session is open, or power was drawn within the last minutes.
    ``ended_at`` is when it last drew power, ``turned_at`` when somebody last checked in or finished,
    ``heard_at`` when the meter last said something, and it is believed to be there for ``patience`` after that.
    """

    checked_in: bool = False
    turned_at: datetime | None = None
    running_since: datetime | None = None
    ended_at: datetime | None = None
    post: timedelta = timedelta()
    heard_at: datetime | None = None
    patience: timedelta = timedelta(minutes=5)
    fail_safe: FailSafe = FailSafe.STAY
    override: Override | None = None


def holds(override: Override, turned_at: datetime | None) -> bool:
    """Whether nobody has checked in or finished since the operator's word."""
    return turned_at is None or turned_at <= override.asked_at


def wanted(now: Situation, *, at: datetime) -> Wish | None:
    """How the relay should be, or ``None`` where it is left as it is.

    - An override comes first. "Off" does not end a run that began after it: it was not meant for that one.
      One that was asked during a run was asked as an emergency, and ends it.
    - Whoever is checked in has power.
    - Nothing is switched off during a run, before its post time is over, or while the meter is silent:
      a run may go on unseen. After ``SILENT_FOR_LONG`` the fail-safe state is wanted, if it is another than "stay",
      and "off" only if the meter did not fall silent in the middle of a run.
    """
    if now.override is not None and holds(now.override, now.turned_at):
        began_later = now.running_since is not None and now.running_since > now.override.asked_at
        if now.override.on or not began_later:
            return Wish(now.override.on, PowerCause.OVERRIDE)
    if now.checked_in:
        return Wish(True, PowerCause.CHECKED_IN)
    if now.running_since is not None:
        return None
    if now.heard_at is None or at - now.heard_at > now.patience:
        return _while_silent(now, at=at)
    if now.ended_at is not None and at < now.ended_at + now.post:
        return None
    return Wish(False, PowerCause.RUN_ENDED)


def _while_silent(now: Situation, *, at: datetime) -> Wish | None:
    """A meter that has never said anything is silent too: a relay that measures nothing."""
    if now.fail_safe is FailSafe.STAY or (now.heard_at is not None and at - now.heard_at <= SILENT_FOR_LONG):
        return None
    in_a_run = now.ended_at is not None and (now.heard_at is None or now.heard_at <= now.ended_at)
    if now.fail_safe is FailSafe.OFF and in_a_run:
        return None
    return Wish(now.fail_safe is FailSafe.ON, PowerCause.FAIL_SAFE)


def is_due(*, sent_at: datetime | None, tries: int, at: datetime) -> bool:
    """Whether a command that nobody has confirmed is sent (again) now."""
    if sent_at is None:
        return True
    return tries < MOST_TRIES and at >= sent_at + FIRST_PAUSE * 2 ** max(tries - 1, 0)


def progress(*, tries: int, confirmed: bool, ended: bool) -> Progress:
    """How far a command has come. ``UNCONFIRMED`` is not sent any more, but still wanted."""
    if confirmed:
        return Progress.CONFIRMED
    if ended:
        return Progress.ENDED
    if tries == 0:
        return Progress.WAITING
    return Progress.SENT if tries < MOST_TRIES else Progress.UNCONFIRMED
