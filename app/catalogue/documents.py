"""Which documents and qualifications that platforms ask for are held, and which of them are valid."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

# Of one holder and one requirement only the last grant counts; what was revoked is not held any more.
HELD = text(
    """
    SELECT platform_id, count(*) AS held, count(*) FILTER (WHERE expires_on IS NULL OR expires_on > :on) AS valid
    FROM (
        SELECT DISTINCT ON (requirement.id, qualification.person_id, qualification.organization_id)
               requirement.platform_id, qualification.expires_on
        FROM qualification JOIN requirement ON requirement.id = qualification.requirement_id
        WHERE requirement.platform_id = ANY(CAST(:platforms AS int[])) AND qualification.revoked_at IS NULL
            AND qualification.granted_on <= :on
        ORDER BY requirement.id, qualification.person_id, qualification.organization_id,
                 qualification.granted_on DESC, qualification.id DESC
    ) AS last
    GROUP BY platform_id
    """
)


@dataclass(frozen=True, slots=True)
class Documents:
    """How many are held of those that a platform asks for, and how many of these are valid."""

    held: int = 0
    valid: int = 0


def documents_held(session: Session, platform_ids: Collection[int], *, on: date) -> dict[int, Documents]:
    """The documents of each platform on a day. One query; platforms without any are left out."""
    rows = session.execute(HELD, {"platforms": sorted(platform_ids), "on": on})
    return {row.platform_id: Documents(row.held, row.valid) for row in rows}
