"""What other packages ask about platforms: who runs one, and how a customer stands to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy import func, select
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


def is_own(session: Session, platform_id: int, organization_id: int, *, on: date) -> bool:
    """Whether the customer is the platform's own host or operator: own use is never revenue."""
    host = session.scalar(select(Platform.host_id).where(Platform.id == platform_id))
    operator = operator_of(session, platform_id, on=on)
    return organization_id == host or (operator is not None and operator.id == organization_id)


def is_related(session: Session, platform_id: int, organization_id: int, *, on: date) -> bool:
    """Whether platform and customer are related parties on that day."""
    return (
        session.scalar(
            select(func.count())
            .select_from(RelatedParty)
            .where(
                RelatedParty.platform_id == platform_id,
                RelatedParty.organization_id == organization_id,
                RelatedParty.since <= on,
            )
        )
        != 0
    )


def relation_of(session: Session, *, platform_id: int, organization_id: int, on: date) -> CustomerRelation:
    """How a customer stands to a platform on that day (A04)."""
    if is_own(session, platform_id, organization_id, on=on):
        return CustomerRelation.OWN_USE
    if is_related(session, platform_id, organization_id, on=on):
        return CustomerRelation.RELATED_PARTY
    return CustomerRelation.EXTERNAL
