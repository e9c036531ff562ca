"""Requirements, and who meets them: said, granted, revoked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.catalogue.models import Equipment, EquipmentRequirement, Qualification, Requirement
from app.catalogue.rules.words import OF_A_PERSON, RequirementKind
from app.identity.models import Organization, Person
from app.identity.notifying import notify, people_with
from app.identity.rules.notice import NoticeKind, msgid, names
from app.identity.rules.permission import Role
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementTerms:
    """What a requirement says. ``months_valid`` None never expires."""

    kind: RequirementKind
    name_zh: str
    name_en: str
    how_zh: str
    how_en: str
    months_valid: int | None = None


def grant(
    session: Session,
    requirement_id: int,
    *,
    granted_on: date,
    by: int,
    at: datetime,
    person_id: int | None = None,
    organization_id: int | None = None,
    expires_on: date | None = None,
    document: str = "",
) -> Qualification:
    """Say that a person or a firm has met a requirement; without ``expires_on`` it lasts as long as it says.

    The same grant again gives the same qualification. Errors: ``NotFound``; ``InvalidInput`` for the wrong
    sort of holder or an end before the beginning.
    """
    wanted = session.get(Requirement, requirement_id, with_for_update=True)
    if wanted is None:
        raise NotFound("没有这项要求。", field="requirement_id")
    if wanted.kind in OF_A_PERSON and person_id is None:
        raise InvalidInput("这项要求由个人取得，请填写此人的登录邮箱。", field="holder")
    if wanted.kind not in OF_A_PERSON and organization_id is None:
        raise InvalidInput("这项要求由单位取得，请填写单位全称。", field="holder")
    holder = {"person_id": person_id} if wanted.kind in OF_A_PERSON else {"organization_id": organization_id}
    if expires_on is None and wanted.months_valid is not None:
        expires_on = granted_on + relativedelta(months=wanted.months_valid)
    if expires_on is not None and expires_on <= granted_on:
        raise InvalidInput("失效日期应晚于取得日期。", field="expires_on")
    known = session.scalar(
        select(Qualification).filter_by(
            requirement_id=requirement_id, granted_on=granted_on, expires_on=expires_on, revoked_at=None, **holder
        )
    )
    if known is not None:
        return known
    made = Qualification(
        requirement_id=requirement_id,
        granted_on=granted_on,
        expires_on=expires_on,
        document=document.strip(),
        granted_by=by,
        created_at=at,
        **holder,
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        at=at,
        by=by,
        deed="granted",
        subject="qualification",
        subject_id=made.id,
        requirement_id=requirement_id,
        granted_on=granted_on.isoformat(),
        expires_on=None if expires_on is None else expires_on.isoformat(),
        document=made.document,
        **holder,
    )
    _tell(session, made, sentence=msgid("已登记您具备“%(name)s”。"), key="granted", reason="", at=at)
    return made


def revoke(session: Session, qualification_id: int, *, reason: str, by: int, at: datetime) -> Qualification:
    """Take a qualification back from now on; reservations that were made stand. Twice changes nothing.

    Errors: ``NotFound``; ``InvalidInput`` without a reason.
    """
    row = session.get(Qualification, qualification_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("没有这项资质。")
    if not reason.strip():
        raise InvalidInput("请写明撤销原因，持有人会看到。", field="reason")
    if row.revoked_at is None:
        row.revoked_at = at
        audit.record(
            session,
            at=at,
            by=by,
            deed="revoked",
            subject="qualification",
            subject_id=row.id,
            reason=reason.strip(),
        )
        _tell(
            session,
            row,
            sentence=msgid("您的“%(name)s”已被撤销：%(reason)s"),
            key="revoked",
            reason=reason.strip(),
            at=at,
        )
        session.flush()
    return row


def holder_named(session: Session, kind: RequirementKind, name: str) -> dict[str, int]:
    """Whom an operator means, by e-mail or by the firm's full name, as arguments for :func:`grant`."""
    name = name.strip()
    if kind in OF_A_PERSON:
        person = session.scalar(select(Person.id).where(func.lower(Person.email) == name.lower(), Person.active))
        if person is None:
            raise InvalidInput("没有用这个邮箱登录的用户，请核对邮箱。", field="holder")
        return {"person_id": person}
    organization = session.scalar(select(Organization.id).where(Organization.name == name))
    if organization is None:
        raise InvalidInput("没有这个单位，请填写单位全称。", field="holder")
    return {"organization_id": organization}


def require(
    session: Session, *, platform_id: int, terms: RequirementTerms, by: int, at: datetime, requirement_id: int | None
) -> Requirement:
    """Add a requirement to a platform, or say it otherwise. Errors: ``InvalidInput``, ``NotFound``, ``Conflict``."""
    for name in ("name_zh", "how_zh"):
        if not getattr(terms, name).strip():
            raise InvalidInput("请填写这一项。", field=name)
    if terms.months_valid is not None and terms.months_valid < 1:
        raise InvalidInput("有效期须至少一个月；长期有效请留空。", field="months_valid")
    before: dict[str, Any] | None = None
    if requirement_id is None:
        row = Requirement(platform_id=platform_id, illustrative=False)
        session.add(row)
    else:
        found = session.get(Requirement, requirement_id, with_for_update=True)
        if found is None or found.platform_id != platform_id:
            raise NotFound("没有这项要求。")
        if (found.kind in OF_A_PERSON) != (terms.kind in OF_A_PERSON):
            raise Conflict("个人与单位的要求不能互换，请另建一项要求。", field="kind")
        row, before = found, _said(found)
    row.kind, row.months_valid = terms.kind, terms.months_valid
    row.name_zh, row.how_zh = terms.name_zh.strip(), terms.how_zh.strip()
    row.name_en, row.how_en = terms.name_en.strip() or row.name_zh, terms.how_en.strip() or row.how_zh
    session.flush()
    audit.record(
        session,
        at=at,
        by=by,
        deed="requirement changed",
        subject="requirement",
        subject_id=row.id,
        before=before,
        after=_said(row),
    )
    return row


def drop_requirement(session: Session, requirement_id: int, *, by: int, at: datetime) -> None:
    """Remove a requirement that nobody has met yet. Errors: ``NotFound``; ``Conflict`` once somebody has."""
    row = session.get(Requirement, requirement_id, with_for_update=True)
    if row is None:
        raise NotFound("没有这项要求。")
    if session.scalar(select(Qualification.id).where(Qualification.requirement_id == requirement_id).limit(1)):
        raise Conflict("已有人取得这项要求，不能删除；请从设备上取消勾选，使其不再生效。")
    audit.record(
        session, at=at, by=by, deed="requirement dropped", subject="requirement", subject_id=row.id, before=_said(row)
    )
    session.execute(delete(EquipmentRequirement).where(EquipmentRequirement.requirement_id == requirement_id))
    session.delete(row)
    session.flush()


def ask_for(
    session: Session, equipment_id: int, *, requirement_ids: Collection[int], by: int, at: datetime
) -> Sequence[int]:
    """Make these, and only these, the requirements of this equipment. Errors: ``NotFound`` for another platform's."""
    equipment = session.get(Equipment, equipment_id, with_for_update={"key_share": True})
    if equipment is None:
        raise NotFound("没有这台设备。")
    wanted = set(requirement_ids)
    known = set(session.scalars(select(Requirement.id).where(Requirement.platform_id == equipment.platform_id)))
    if not wanted <= known:
        raise NotFound("没有这项要求。", field="requirements")
    before = set(
        session.scalars(
            select(EquipmentRequirement.requirement_id).where(EquipmentRequirement.equipment_id == equipment_id)
        )
    )
    if wanted != before:
        session.execute(
            delete(EquipmentRequirement).where(
                EquipmentRequirement.equipment_id == equipment_id,
                EquipmentRequirement.requirement_id.in_(before - wanted),
            )
        )
        session.add_all(
            EquipmentRequirement(equipment_id=equipment_id, requirement_id=one) for one in sorted(wanted - before)
        )
        session.flush()
        audit.record(
            session,
            at=at,
            by=by,
            deed="requirements changed",
            subject="equipment",
            subject_id=equipment_id,
            before=sorted(before),
            after=sorted(wanted),
        )
    return sorted(wanted)


def _said(row: Requirement) -> dict[str, Any]:
    return {
        "kind": row.kind.value,
        "name_zh": row.name_zh,
        "how_zh": row.how_zh,
        "months_valid": row.months_valid,
    }


def _tell(session: Session, row: Qualification, *, sentence: str, key: str, reason: str, at: datetime) -> None:
    if row.person_id is not None:
        told = [row.person_id]
    else:
        told = people_with(session, row.organization_id or 0, Role.FIRM_MEMBER, Role.FIRM_MANAGER)
    notify(
        session,
        told,
        kind=NoticeKind.QUALIFICATION,
        key=f"{key}:{row.id}",
        sentence=sentence,
        facts={"name": names(session.get_one(Requirement, row.requirement_id)), "reason": reason},
        path="/qualifications",
        at=at,
    )
