from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.identity.models import Person
from app.identity.registering import SHORTEST_PASSWORD, add_membership, add_organization, add_person
from app.identity.rules.permission import Role
from app.identity.signing_in import sign_in
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput
from tests import makers
from tests.makers import BEGINNING

PASSWORD = "示例密码-2026-甲"
USCC = "91350582XXXX00019F"


@pytest.fixture
def anna(session) -> Person:
    return add_person(session, email="Anna@PilotShare.example", name="示例用户", password=PASSWORD, at=BEGINNING)


def test_signing_in_knows_the_address_in_any_case_and_is_logged(session, anna):
    assert sign_in(session, email=" ANNA@pilotshare.example ", password=PASSWORD, at=BEGINNING) is anna
    assert session.scalar(select(func.count()).where(audit.AuditEntry.person_id == anna.id)) == 1


def test_a_stranger_cannot_tell_a_wrong_password_from_an_unknown_address_or_a_closed_account(session, anna):
    told = set()
    for email, password in (("anna@pilotshare.example", "wrong"), ("nobody@pilotshare.example", PASSWORD)):
        with pytest.raises(InvalidInput) as refused:
            sign_in(session, email=email, password=password, at=BEGINNING)
        told.add((str(refused.value), refused.value.field))
    anna.active = False
    with pytest.raises(InvalidInput) as refused:
        sign_in(session, email=anna.email, password=PASSWORD, at=BEGINNING)
    assert told == {(str(refused.value), refused.value.field)}


def test_a_hash_from_weaker_days_is_renewed_at_the_next_sign_in(session, anna):
    weak = anna.password_hash = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    sign_in(session, email=anna.email, password=PASSWORD, at=BEGINNING)
    assert anna.password_hash != weak
    assert sign_in(session, email=anna.email, password=PASSWORD, at=BEGINNING) is anna


def test_a_password_is_never_stored_as_it_is(anna):
    assert anna.password_hash.startswith("$argon2id$")
    assert PASSWORD not in anna.password_hash


@pytest.mark.parametrize("code", ["91350582XXXX00019G", "91350582XXXX0001", "", "9135058IXXXX00019F"])
def test_a_wrong_uscc_is_refused_by_its_field(session, code):
    with pytest.raises(InvalidInput) as refused:
        add_organization(session, name="示例科技有限公司", uscc=code, at=BEGINNING)
    assert refused.value.field == "uscc"


def test_a_uscc_may_be_typed_with_spaces_and_small_letters_and_is_taken_once(session):
    assert add_organization(session, name="示例一", uscc="91350582 xxxx00019f", at=BEGINNING).uscc == USCC
    with pytest.raises(Conflict):
        add_organization(session, name="示例二", uscc=USCC, at=BEGINNING)
    with pytest.raises(Conflict):
        add_organization(session, name=" 示例一 ", uscc=None, at=BEGINNING)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"email": "anna"}, "email"),
        ({"email": "ANNA@pilotshare.example"}, "email"),
        ({"password": "x" * (SHORTEST_PASSWORD - 1)}, "password"),
    ],
)
def test_a_person_is_refused_by_the_field_that_has_to_change(session, anna, given, field):
    wish = {"email": "bert@pilotshare.example", "name": "示例", "password": PASSWORD, **given}
    with pytest.raises((InvalidInput, Conflict)) as refused:
        add_person(session, at=BEGINNING, **wish)
    assert refused.value.field == field


def test_a_person_may_have_roles_in_several_organizations(session, anna):
    for name, role in (("示例一", Role.FIRM_MANAGER), ("示例二", Role.OPERATOR)):
        body = add_organization(session, name=name, uscc=None, at=BEGINNING)
        add_membership(session, person=anna, organization=body, role=role)
    session.refresh(anna)
    assert {one.role for one in anna.memberships} == {Role.FIRM_MANAGER, Role.OPERATOR}


def test_the_language_somebody_chose_is_read_in_a_browser_that_chose_none(app, session):
    person_id = makers.person(session, (makers.organization(session), Role.FIRM_MEMBER)).id
    session.commit()

    def signed_in() -> FlaskClient:
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = str(person_id)
        return client

    first, second = signed_in(), signed_in()
    assert 'lang="zh-CN"' in second.get("/notices").text
    assert first.get("/language/en").status_code == 302
    assert '<html lang="en"' in second.get("/notices").text
    assert '<html lang="en"' not in app.test_client().get("/sign-in").text
    second.set_cookie("language", "zh_CN")
    assert '<html lang="zh-CN"' in second.get("/notices").text
