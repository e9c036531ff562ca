from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.kernel.audit import AuditEntry
from app.kernel.errors import InvalidInput
from billing.answering import POLICY, answer, answers_to, settings_if, settings_in_force
from billing.assessing import assess_platform, judge_platform
from billing.models import Assessment, PolicyAnswer
from tests.integration import page_world
from tests.integration.test_pages import client_of


@pytest.fixture
def world(session) -> page_world.World:
    return page_world.build(session)


def test_an_administrator_answers_a_question_with_a_reason_and_everybody_sees_it(app, session, world):
    admin = client_of(app, world, "administrator")
    year = {one.year: one for one in judge_platform(session, world.platform.id)[1].revenue_years}[world.year]
    assert year.base != year.with_tax
    assert assess_platform(session, world.platform.id, at=page_world.clock.now())
    session.commit()
    wanted = {"value": "gross", "reason": ""}
    refused = admin.post("/policy/A03", data=wanted)
    assert refused.status_code == 422
    assert "请写明改变口径的理由或文号" in refused.text
    assert 'value="gross" checked' in refused.text
    seen = admin.post("/policy/A03/effect", data=wanted)
    assert "只测算，不保存" in seen.text
    assert session.scalar(select(PolicyAnswer)) is None
    assert admin.post("/policy/A03", data={**wanted, "reason": "示例复函〔2026〕5号"}).status_code == 302
    session.expire_all()
    year = {one.year: one for one in judge_platform(session, world.platform.id)[1].revenue_years}[world.year]
    assert year.base == year.with_tax
    # The same facts under another reading are another assessment; the earlier one is kept.
    assert assess_platform(session, world.platform.id, at=page_world.clock.now())
    assert {one.settings["A03_revenue_tax"] for one in session.scalars(select(Assessment))} == {"net", "gross"}
    for who in ("administrator", "official", "operator"):
        page = client_of(app, world, who).get("/policy/A03").text
        assert "示例复函〔2026〕5号" in page
        assert "与默认不同" in page
        assert ("改变 A03 的口径" in page) is (who == "administrator")
        assert "与默认不同" in client_of(app, world, who).get("/policy").text
    (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.deed == "policy_answered"))
    assert (entry.detail["before"], entry.detail["after"]) == ("net", "gross")
    assert 'lang="en"' in client_of(app, world, "administrator", "en").get("/policy/A05").text


@pytest.mark.parametrize("who", [None, "member", "manager", "operator", "finance", "official"])
def test_nobody_else_answers(app, session, world, who):
    client = client_of(app, world, who)
    for address in ("/policy/A03", "/policy/A03/effect"):
        assert client.post(address, data={"value": "gross", "reason": "示例"}).status_code in (302, 401, 403, 404)
    assert session.scalar(select(PolicyAnswer)) is None


@pytest.mark.parametrize(
    ("number", "form"),
    [("A03", {"value": "both"}), ("A03", {}), ("A01", {"value": "operator"}), ("A14", {"value": ["P1", "P9"]}),
     ("A26", {"value.before_lock": "never", "value.after_lock": "issue_year"})],
)  # fmt: skip
def test_what_cannot_be_calculated_is_refused(app, session, world, number, form):
    admin = client_of(app, world, "administrator")
    assert admin.post(f"/policy/{number}", data={**form, "reason": "示例"}).status_code == 422
    assert admin.post(f"/policy/{number}/effect", data=form).status_code == 200
    assert admin.get("/policy/A99").status_code == 404
    assert session.scalar(select(PolicyAnswer)) is None


def test_answers_with_parts_and_lists_are_kept_and_the_last_one_holds(app, session, world):
    admin = client_of(app, world, "administrator")
    parts = {"value.before_lock": "issue_year", "value.after_lock": "issue_year", "reason": "示例一"}
    assert admin.post("/policy/A26", data=parts).status_code == 302
    assert admin.post("/policy/A14", data={"value": ["P1", "P2", "P3"], "reason": "示例二"}).status_code == 302
    session.expire_all()
    settings = settings_in_force(session)
    assert settings.part("A26_credit_note", "before_lock") == "issue_year"
    assert settings.names("A14_split_scope") == ("P1", "P2", "P3")
    assert settings.overridden == {"A26_credit_note", "A14_split_scope"}
    assert settings_if(session, "A13_odd_fen_to", "泉州").overridden == {*settings.overridden, "A13_odd_fen_to"}
    at, by = page_world.clock.now(), world.people["administrator"].id
    with pytest.raises(InvalidInput):
        answer(session, "A14_split_scope", ["P1", "P2", "P3"], reason="没有改变", by=by, at=at)
    answer(session, "A14_split_scope", ["P1", "P2"], reason="示例三", by=by, at=at)
    assert settings_in_force(session).overridden == {"A26_credit_note"}
    assert [one.reason for one in answers_to(session, "A14_split_scope")] == ["示例三", "示例二"]
    assert POLICY.settings_with({}).names("A14_split_scope") == ("P1", "P2")
    with pytest.raises(DBAPIError):
        session.execute(text("DELETE FROM policy_answer"))
    session.rollback()
