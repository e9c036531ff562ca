from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from app.booking.qualifying import missing_requirements
from app.booking.reserving import reserve
from app.catalogue.granting import (
    RequirementTerms,
    ask_for,
    drop_requirement,
    grant,
    holder_named,
    require,
    revoke,
)
from app.catalogue.rules.words import RequirementKind
from app.identity.models import Notice
from app.identity.rules.permission import Role
from app.kernel.errors import Conflict, InvalidInput, NotAllowed, NotFound
from app.kernel.interval import Interval
from tests import makers
from tests.integration.test_equipping import visitor
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)
TODAY = date(2026, 1, 1)
SLOT = Interval(NOW + timedelta(hours=4), NOW + timedelta(hours=6))


@pytest.fixture
def school(session):
    class School:
        operator = makers.organization(session)
        platform = makers.platform(session, operator=operator)
        trainer = makers.person(session, (operator, Role.OPERATOR))
        thing = makers.equipment(session, of=platform)
        firm = makers.organization(session)
        person = makers.person(session, (firm, Role.FIRM_MEMBER))

        def require(self, kind=RequirementKind.TRAINING, **given):
            words = {"name_zh": "示例要求", "name_en": "", "how_zh": "联系平台", "how_en": "", **given}
            return require(
                session,
                platform_id=self.platform.id,
                terms=RequirementTerms(kind=kind, **words),
                by=self.trainer.id,
                at=NOW,
                requirement_id=None,
            )

        def ask_for(self, *requirements):
            wanted = [one.id for one in requirements]
            ask_for(session, self.thing.id, requirement_ids=wanted, by=self.trainer.id, at=NOW)

        def grant(self, requirement, **given):
            told = {"granted_on": TODAY, "by": self.trainer.id, "at": NOW, **given}
            return grant(session, requirement.id, **told)

        def missing(self, on: date = TODAY) -> list[int]:
            found = missing_requirements(
                session, self.thing.id, organization_id=self.firm.id, person_id=self.person.id, on=on
            )
            return [one.id for one in found]

        def book(self):
            return reserve(
                session,
                equipment_id=self.thing.id,
                when=SLOT,
                organization_id=self.firm.id,
                person_id=self.person.id,
                at=NOW,
            )

    return School()


def test_who_lacks_something_cannot_book_and_hears_how_to_get_it(session, school):
    training = school.require(how_zh="每周三在平台报名培训")
    school.ask_for(training)
    with pytest.raises(NotAllowed, match="每周三在平台报名培训"):
        school.book()
    school.grant(training, person_id=school.person.id)
    school.book()


def test_a_person_and_a_firm_each_bring_their_own(session, school):
    training = school.require()
    paper = school.require(RequirementKind.CONFIDENTIALITY_AGREEMENT)
    school.ask_for(training, paper)
    for wrong, holder in ((training, {"organization_id": school.firm.id}), (paper, {"person_id": school.person.id})):
        with pytest.raises(InvalidInput) as refused:
            school.grant(wrong, **holder)
        assert refused.value.field == "holder"
    school.grant(training, person_id=school.person.id)
    assert school.missing() == [paper.id]
    school.grant(paper, organization_id=school.firm.id)
    assert school.missing() == []


def test_a_qualification_lasts_as_long_as_its_requirement_says(session, school):
    training = school.require(months_valid=12)
    school.ask_for(training)
    held = school.grant(training, person_id=school.person.id)
    assert held.expires_on == date(2027, 1, 1)
    assert school.missing(on=date(2026, 12, 31)) == []
    assert school.missing(on=date(2027, 1, 1)) == [training.id]
    assert school.grant(training, person_id=school.person.id).id == held.id
    with pytest.raises(InvalidInput) as refused:
        school.grant(training, person_id=school.person.id, expires_on=TODAY)
    assert refused.value.field == "expires_on"


def test_what_is_revoked_counts_no_more_and_the_holder_is_told_why(session, school):
    training = school.require()
    school.ask_for(training)
    held = school.grant(training, person_id=school.person.id)
    booked = school.book()
    with pytest.raises(InvalidInput):
        revoke(session, held.id, reason=" ", by=school.trainer.id, at=NOW)
    for _ in range(2):
        revoke(session, held.id, reason="违规操作", by=school.trainer.id, at=NOW)
    assert school.missing() == [training.id]
    assert booked.hold_until is None
    told = session.scalars(select(Notice).where(Notice.person_id == school.person.id).order_by(Notice.id)).all()
    assert [one.facts.get("reason") for one in told] == ["", "违规操作"]


def test_a_holder_is_found_by_e_mail_or_by_the_full_name(session, school):
    named = holder_named(session, RequirementKind.TRAINING, f" {school.person.email.upper()} ")
    assert named == {"person_id": school.person.id}
    assert holder_named(session, RequirementKind.SAFETY_DOCUMENT, school.firm.name) == {
        "organization_id": school.firm.id
    }
    for kind in (RequirementKind.TRAINING, RequirementKind.SAFETY_DOCUMENT):
        with pytest.raises(InvalidInput) as refused:
            holder_named(session, kind, "nobody")
        assert refused.value.field == "holder"


def test_equipment_asks_only_for_its_own_platforms_requirements(session, school):
    other = makers.platform(session)
    terms = RequirementTerms(kind=RequirementKind.TRAINING, name_zh="别处", name_en="", how_zh="别处", how_en="")
    foreign = require(session, platform_id=other.id, terms=terms, by=school.trainer.id, at=NOW, requirement_id=None)
    with pytest.raises(NotFound):
        school.ask_for(foreign)
    with pytest.raises(NotFound):
        require(
            session,
            platform_id=school.platform.id,
            terms=terms,
            by=school.trainer.id,
            at=NOW,
            requirement_id=foreign.id,
        )


def test_a_requirement_that_somebody_met_stays(session, school):
    unused, met = school.require(), school.require()
    school.ask_for(unused, met)
    school.grant(met, person_id=school.person.id)
    drop_requirement(session, unused.id, by=school.trainer.id, at=NOW)
    with pytest.raises(Conflict):
        drop_requirement(session, met.id, by=school.trainer.id, at=NOW)
    assert school.missing() == []


def test_pages_show_each_their_own_and_another_operator_finds_nothing(app, session, school):
    training = school.require(name_zh="激光安全培训")
    school.ask_for(training)
    held = school.grant(training, person_id=school.person.id)
    other = makers.organization(session)
    makers.platform(session, operator=other)
    stranger = makers.person(session, (other, Role.OPERATOR))
    session.commit()
    assert "激光安全培训" in visitor(app, school.person).get("/qualifications").text
    assert school.person.email in visitor(app, school.trainer).get("/qualifications").text
    assert school.person.email in visitor(app, school.trainer).get("/qualifications?format=csv").text
    assert school.person.email not in visitor(app, stranger).get("/qualifications").text
    assert visitor(app, stranger).post(f"/qualifications/{held.id}/revoke").status_code == 404
    form = {"requirement_id": training.id, "holder": school.person.email, "granted_on": "2026-01-02"}
    assert visitor(app, stranger).post("/qualifications", data=form).status_code == 404
    assert visitor(app, school.trainer).post("/qualifications", data=form).status_code == 302
    wrong = visitor(app, school.trainer).post("/qualifications", data=form | {"holder": "nobody@x"})
    assert wrong.status_code == 422
    assert 'value="nobody@x"' in wrong.text
