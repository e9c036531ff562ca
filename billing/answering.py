"""How the open questions A01–A38 are answered here: by default, until an administrator answers otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.kernel import audit
from app.kernel.errors import InvalidInput
from billing.models import PolicyAnswer
from billing.policies import POLICIES
from billing.rules.policy import Policy, Setting, Settings

POLICY: Policy = POLICIES[0]


def settings_in_force(session: Session) -> Settings:
    """The readings that this installation rests on: the last answer to each question, else the default."""
    return POLICY.settings_with(_answers(session))


def settings_if(session: Session, key: str, value: object) -> Settings:
    """The readings in force with one of them answered otherwise. Errors: ``InvalidInput`` naming the key."""
    return POLICY.settings_with(_answers(session) | {key: value})


def setting_by_number(number: str) -> Setting | None:
    """``A02`` and the like."""
    return next((one for one in POLICY.settings if one.number == number), None)


def answer(session: Session, key: str, value: object, *, reason: str, by: int, at: datetime) -> Settings:
    """Read a question in this way from now on. What is locked keeps the readings that it was locked with.

    Errors: ``InvalidInput`` without a reason, for an answer that cannot be calculated or that holds already.
    """
    reason = reason.strip()
    if not reason:
        raise InvalidInput("请写明改变口径的理由或文号。", field="reason")
    before, after = settings_in_force(session), settings_if(session, key, value)
    if after.values[key] == before.values[key]:
        raise InvalidInput("现行口径就是这样，没有改变。", field="value")
    session.add(
        PolicyAnswer(
            policy=POLICY.number, key=key, value=_plain(after.values[key]), reason=reason, person_id=by, answered_at=at
        )
    )
    session.flush()
    audit.record(
        session, at=at, by=by, deed="policy_answered", subject="policy", subject_id=0, key=key, reason=reason,
        before=_plain(before.values[key]), after=_plain(after.values[key]),
    )  # fmt: skip
    return after


def answers_to(session: Session, key: str) -> Sequence[PolicyAnswer]:
    """Every answer that was given to a question, the last one first."""
    return session.scalars(
        select(PolicyAnswer)
        .where(PolicyAnswer.policy == POLICY.number, PolicyAnswer.key == key)
        .options(joinedload(PolicyAnswer.person))
        .order_by(PolicyAnswer.id.desc())
    ).all()


def _answers(session: Session) -> dict[str, Any]:
    given = select(PolicyAnswer).where(PolicyAnswer.policy == POLICY.number).order_by(PolicyAnswer.id)
    return {one.key: one.value for one in session.scalars(given)}


def _plain(value: Any) -> Any:
    """As JSON keeps it."""
    return list(value) if isinstance(value, tuple) else value
