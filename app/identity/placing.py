"""Where a firm is: the town or street, and the park, by which the city reports whom its platforms served."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.identity.models import Organization
from app.identity.rules.town import towns_on
from app.kernel import audit, clock
from app.kernel.errors import InvalidInput, NotFound

LONGEST_PARK = 80


def place_organization(
    session: Session, organization_id: int, *, town: str | None, park: str | None, by: int, at: datetime
) -> Organization:
    """Say where a firm is; None where it is not known or not in the city. Errors: ``NotFound``, ``InvalidInput``."""
    row = session.get(Organization, organization_id)
    if row is None:
        raise NotFound("没有这个单位。")
    town, park = (town or "").strip() or None, (park or "").strip() or None
    if town is not None and town not in towns_on(clock.local_date(at)).names:
        raise InvalidInput("没有“%(town)s”这个镇（街道），请从列表中选择。", field="town", town=town)
    if park is not None and len(park) > LONGEST_PARK:
        raise InvalidInput("园区名称最多 %(most)s 个字。", field="park", most=LONGEST_PARK)
    before = {"town": row.town, "park": row.park}
    row.town, row.park = town, park
    audit.record(
        session,
        at=at,
        by=by,
        deed="organization placed",
        subject="organization",
        subject_id=row.id,
        before=before,
        after={"town": town, "park": park},
    )
    session.flush()
    return row
