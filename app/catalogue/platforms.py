"""What other packages ask about platforms: who runs one, and how a customer stands to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.catalogue.models import Platform, PlatformOperator, RelatedParty
from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization


def platforms_run_by(session: Session, organization_ids: Iterable[int], *, on: date) -> frozenset[int]:
    """The platforms that these organizations operate on that day."""
    wanted = list(organization_ids)
    if not wanted:
        return frozenset()
    return frozenset(
        session.scalars(
            select(PlatformOperator.platform_id).where(
                PlatformOperator.organization_id.in_(wanted), PlatformOperator.days.contains(on)
            )
        )
    )


def operator_of(session: Session, platform_id: int, *, on: date) -> Organization | None:
    """The operating entity (运营主体) of a platform on that day."""
    return session.scalar(
        select(Organization)
        .join(PlatformOperator, PlatformOperator.organization_id == Organization.id)
        .where(PlatformOperator.platform_id == platform_id, PlatformOperator.days.contains(on))
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Who runs a platform and who is close to those who do, since and until when."""

    host_id: int
    operators: tuple[tuple[int, Range[date]], ...]
    related: tuple[tuple[int, date], ...]

    def relation(self, organization_id: int, on: date) -> CustomerRelation:
        """How a customer stands to the platform on that day (A04). Its own people's use is never revenue."""
        if organization_id == self.host_id or any(
            number == organization_id and days.contains(on) for number, days in self.operators
        ):
            return CustomerRelation.OWN_USE
        near = any(number == organization_id and since <= on for number, since in self.related)
        return CustomerRelation.RELATED_PARTY if near else CustomerRelation.EXTERNAL


def standing_of(session: Session, platform_id: int) -> Standing:
    """Read once for many customers and days: three queries."""
    operators = session.execute(
        select(PlatformOperator.organization_id, PlatformOperator.days).where(
            PlatformOperator.platform_id == platform_id
        )
    )
    related = session.execute(
        select(RelatedParty.organization_id, RelatedParty.since).where(RelatedParty.platform_id == platform_id)
    )
    return Standing(
        host_id=session.scalars(select(Platform.host_id).where(Platform.id == platform_id)).one(),
        operators=tuple((number, days) for number, days in operators),
        related=tuple((number, since) for number, since in related),
    )


def relation_of(session: Session, *, platform_id: int, organization_id: int, on: date) -> CustomerRelation:
    """How a customer stands to a platform on that day."""
    return standing_of(session, platform_id).relation(organization_id, on)
