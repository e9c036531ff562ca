"""The sample world's evaluation (示例): opinions on uses, an incident, weights of the year, and its result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.booking.incidents import close_incident, record_incident
from app.booking.models import Reservation
from app.booking.rating import rate
from app.booking.rules.feedback import Severity
from app.booking.rules.service import HandedFile
from app.catalogue.models import Equipment, Platform
from app.kernel import clock
from billing.evaluating import conclude
from billing.evaluation_entries import decide, hand_in
from billing.evaluation_schemes import set_terms
from billing.policies.jinzhengban_2025_13_evaluation import INDICATORS
from billing.rules.evaluation import Scoring, Term
from devices.usage import usage_of_reservations

OPINIONS = (
    (5, "示例意见：操作讲解清楚，数据当天就能带走。"),
    (4, ""),
    (5, ""),
    (3, "示例意见：开机等待偏久。"),
    (4, ""),
)
TERMS = {"utilization": ("10", "0.05"), "firms": ("8", "2"), "orders": ("7", "25"), "service_income": ("8", "50000"),
         "conversion_income": ("0", "500000"), "local_share": ("8", "0.5")}  # fmt: skip
"""What the sample notice sets otherwise, for a year that had just begun."""
POINTS = {"team": 82, "rules": 88, "outcomes": 65}
LEFT_OPEN = timedelta(days=5)
"""Uses of the last days wait to be rated."""
# A file of one page with nothing on it.
PAPER = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def seed_evaluation(
    session: Session, platforms: Sequence[Platform], *, operator: int, official: int, at: datetime
) -> None:
    """The year of each is concluded, with what its operator handed in confirmed."""
    year = clock.local_date(at).year
    _rated(session, at=at)
    _incident(session, platforms[0], by=operator, at=at)
    terms = {one.key: Term(one.weight, one.target) for one in INDICATORS}
    terms |= {key: Term(Decimal(weight), Decimal(target)) for key, (weight, target) in TERMS.items()}
    set_terms(session, year, terms, source=f"示例通知〔{year}〕1号", reason="示例", by=official, at=at)
    for number, platform in enumerate(platforms, start=1):
        for indicator in INDICATORS:
            if indicator.scoring is Scoring.MANUAL:
                value = Decimal(POINTS[indicator.key] - 3 * number)
                paper = HandedFile(f"示例-{indicator.zh}.pdf", "application/pdf", PAPER)
                of = (session, platform.id, year, indicator.key)
                entry = hand_in(*of, value=value, reason="示例材料", file=paper, by=operator, at=at)
                decide(*of, entry_id=entry.id, value=value, reason="", by=official, at=at)
        conclude(
            session, platform.id, year, selected=True, document=f"示例评估〔{year}〕{number}号", by=official, at=at
        )


def _rated(session: Session, *, at: datetime) -> None:
    over = session.scalars(
        select(Reservation).where(func.upper(Reservation.during) < at - LEFT_OPEN).order_by(Reservation.id)
    ).all()
    used = usage_of_reservations(session, [one.id for one in over])
    for number, row in enumerate(one for one in over if one.id in used):
        stars, words = OPINIONS[number % len(OPINIONS)]
        rate(session, row.id, stars=stars, words=words, used=True, by=row.person_id, at=row.during.end)


def _incident(session: Session, platform: Platform, *, by: int, at: datetime) -> None:
    of_platform = select(Equipment).where(Equipment.platform_id == platform.id).order_by(Equipment.code).limit(1)
    equipment = session.scalars(of_platform).one()
    then = at - timedelta(days=20)
    made = record_incident(
        session, platform_id=platform.id, equipment_id=equipment.id,
        happened_on=clock.local_date(then), severity=Severity.MINOR, what_happened="示例：冷却水压力低，设备自动停机。",
        what_was_done="示例：停机检查，更换过滤器后恢复。", by=by, at=then,
    )  # fmt: skip
    close_incident(
        session, made.id, closed_on=clock.local_date(then + timedelta(days=2)),
        measures="示例：过滤器改为每月更换，并加压力告警。", by=by, at=then + timedelta(days=2),
    )  # fmt: skip
