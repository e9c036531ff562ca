"""Who hears of what happens to a claim: its operator, and the officials who decide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalogue.platforms import operator_of
from app.identity.models import Membership, Person
from app.identity.notifying import notify, people_with
from app.identity.rules.notice import NoticeKind, msgid, names
from app.identity.rules.permission import Role
from app.kernel import clock
from billing.models import Claim

TO_OPERATOR = {
    "returned": msgid("%(platform)s %(year)s 年的补助申报被退回，请看原因并重新提交"),
    "locked": msgid("%(platform)s %(year)s 年的补助申报已锁定，等待核定"),
    "asked": msgid("%(platform)s %(year)s 年的补助申报有一个问题等您答复"),
    "approved": msgid("%(platform)s %(year)s 年的补助申报已核定"),
    "adjusted": msgid("%(platform)s %(year)s 年的补助有一笔调整"),
}
TO_OFFICIALS = {
    "filed": msgid("%(platform)s 提交了 %(year)s 年的补助申报"),
    "answered": msgid("%(platform)s 答复了 %(year)s 年补助申报的问题"),
}


def tell_operator(session: Session, claim: Claim, deed: str, *, at: datetime) -> None:
    """Tell those who run the platform today and keep its books."""
    operator = operator_of(session, claim.platform_id, on=clock.local_date(at))
    people = [] if operator is None else people_with(session, operator.id, Role.OPERATOR, Role.OPERATOR_FINANCE)
    _tell(session, claim, people, TO_OPERATOR[deed], deed, at=at)


def tell_officials(session: Session, claim: Claim, deed: str, *, at: datetime) -> None:
    people = session.scalars(
        select(Membership.person_id).join(Person).where(Membership.role == Role.OFFICIAL, Person.active).distinct()
    )
    _tell(session, claim, people, TO_OFFICIALS[deed], deed, at=at)


def _tell(session: Session, claim: Claim, people: Iterable[int], sentence: str, deed: str, *, at: datetime) -> None:
    notify(
        session,
        people,
        kind=NoticeKind.SUBSIDY,
        key=f"claim:{claim.id}:{deed}:{at.isoformat()}",
        sentence=sentence,
        facts={"platform": names(claim.platform), "year": claim.year},
        path=f"/claims/{claim.id}",
        at=at,
    )
