"""Organizations, people and their roles come in here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from stdnum.cn import uscc as uscc_rule
from stdnum.exceptions import ValidationError

from app.identity.models import Membership, Organization, Person
from app.identity.passwords import hashed
from app.identity.rules.permission import Role
from app.kernel.errors import Conflict, InvalidInput

SHORTEST_PASSWORD = 10


def add_organization(
    session: Session, *, name: str, uscc: str | None, at: datetime, region: str = "晋江", illustrative: bool = False
) -> Organization:
    """Errors: ``InvalidInput`` for a code whose check character is wrong, ``Conflict`` for a known name or code."""
    name = name.strip()
    if not name:
        raise InvalidInput("请填写单位名称。", field="name")
    if uscc is not None:
        try:
            uscc = uscc_rule.validate(uscc)
        except ValidationError as error:
            raise InvalidInput("统一社会信用代码不正确，请核对 18 位代码及末位校验码。", field="uscc") from error
    known = session.scalar(
        select(Organization).where((Organization.name == name) | (Organization.uscc == uscc if uscc else False))
    )
    if known is not None:
        raise Conflict("该单位已登记：%(name)s。", field="name", name=known.name)
    made = Organization(name=name, uscc=uscc, region=region, illustrative=illustrative, created_at=at)
    session.add(made)
    session.flush()
    return made


def add_person(session: Session, *, email: str, name: str, password: str, at: datetime) -> Person:
    email = email.strip().lower()
    if "@" not in email:
        raise InvalidInput("请填写有效的邮箱。", field="email")
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput("密码至少 %(length)s 位。", field="password", length=SHORTEST_PASSWORD)
    if session.scalar(select(Person.id).where(func.lower(Person.email) == email)) is not None:
        raise Conflict("该邮箱已注册。", field="email")
    made = Person(email=email, name=name.strip(), password_hash=hashed(password), created_at=at)
    session.add(made)
    session.flush()
    return made


def add_membership(session: Session, *, person: Person, organization: Organization, role: Role) -> None:
    session.add(Membership(person_id=person.id, organization_id=organization.id, role=role))
    session.flush()
