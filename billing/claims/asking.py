"""What the official asks about a claim, and what its operator answers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from billing.claims.record import claim_for_change
from billing.claims.telling import tell_officials, tell_operator
from billing.models import ClaimQuestion
from billing.rules.claim import ClaimState

ASKED_IN = frozenset({ClaimState.FILED, ClaimState.LOCKED})
LONGEST = 2000


def ask(session: Session, claim_id: int, question: str, *, by: int, at: datetime) -> ClaimQuestion:
    """Ask before the decision; until there is an answer, nothing is decided.

    Errors: ``Conflict`` after the decision, ``InvalidInput``.
    """
    claim = claim_for_change(session, claim_id)
    if claim.state not in ASKED_IN:
        raise Conflict("只有已提交、尚未核定的申报才能提问。")
    asked = ClaimQuestion(claim=claim, question=_words(question, "question"), asked_by=by, asked_at=at)
    session.add(asked)
    session.flush()
    audit.record(session, at=at, by=by, deed="claim_asked", subject="claim", subject_id=claim.id, question=asked.id)
    tell_operator(session, claim, "asked", at=at)
    return asked


def answer(session: Session, question_id: int, words: str, *, by: int, at: datetime) -> ClaimQuestion:
    """Answer once. Errors: ``NotFound``; ``Conflict`` if it was answered; ``InvalidInput``."""
    asked = session.get(ClaimQuestion, question_id)
    if asked is None:
        raise NotFound("没有这个问题。")
    claim = claim_for_change(session, asked.claim_id)
    session.refresh(asked)
    if asked.answered_at is not None:
        raise Conflict("这个问题已经答复。要补充，请让主管部门再问一次。")
    asked.answer, asked.answered_by, asked.answered_at = _words(words, "answer"), by, at
    session.flush()
    audit.record(session, at=at, by=by, deed="claim_answered", subject="claim", subject_id=claim.id, question=asked.id)
    tell_officials(session, claim, "answered", at=at)
    return asked


def _words(given: str, field: str) -> str:
    words = given.strip()
    if not words:
        raise InvalidInput("请写明内容。", field=field)
    if len(words) > LONGEST:
        raise InvalidInput("请不超过 %(most)s 字。", field=field, most=LONGEST)
    return words
