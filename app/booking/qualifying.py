"""What must be there before use, who has it, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.catalogue.models import EquipmentRequirement, Qualification, Requirement
from app.catalogue.rules.words import OF_A_PERSON


def requirements_of(session: Session, equipment_id: int) -> Sequence[Requirement]:
    """What this equipment asks for, in the order it was asked."""
    return session.scalars(
        select(Requirement)
        .join(EquipmentRequirement, EquipmentRequirement.requirement_id == Requirement.id)
        .where(EquipmentRequirement.equipment_id == equipment_id)
        .order_by(Requirement.id)
    ).all()


def missing_requirements(
    session: Session, equipment_id: int, *, organization_id: int, person_id: int, on: date
) -> list[Requirement]:
    """What this person of this firm still lacks on that day. Two indexed reads."""
    wanted = requirements_of(session, equipment_id)
    if not wanted:
        return []
    held = {
        (row.requirement_id, row.person_id is not None)
        for row in session.scalars(
            select(Qualification).where(
                Qualification.requirement_id.in_([one.id for one in wanted]),
                or_(Qualification.person_id == person_id, Qualification.organization_id == organization_id),
                Qualification.granted_on <= on,
                or_(Qualification.expires_on.is_(None), Qualification.expires_on > on),
                Qualification.revoked_at.is_(None),
            )
        )
    }
    return [one for one in wanted if (one.id, one.kind in OF_A_PERSON) not in held]
