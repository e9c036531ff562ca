"""What other packages ask about platforms: who runs one, and how a customer stands to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy import exists, or_, select
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


def relation_of(session: Session, *, platform_id: int, organization_id: int, on: date) -> CustomerRelation:
    """How a customer stands to a platform on that day (A04). The host's and the operator's own use is never revenue."""
    operates = exists().where(
        PlatformOperator.platform_id == platform_id,
        PlatformOperator.organization_id == organization_id,
        PlatformOperator.days.contains(on),
    )
    related = exists().where(
        RelatedParty.platform_id == platform_id,
        RelatedParty.organization_id == organization_id,
        RelatedParty.since <= on,
    )
    own, near = session.execute(
        select(or_(Platform.host_id == organization_id, operates), related).where(Platform.id == platform_id)
    ).one()
    if own:
        return CustomerRelation.OWN_USE
    return CustomerRelation.RELATED_PARTY if near else CustomerRelation.EXTERNAL
