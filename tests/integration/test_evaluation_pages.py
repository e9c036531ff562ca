"""The evaluation as people see it: rated by the firm, handed in by the operator, concluded by the official."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from app.booking.models import Feedback, Incident
from app.booking.rules.service import MOST_FILE_BYTES
from app.kernel import clock
from billing.evaluation_schemes import set_terms
from billing.models import Evaluation, EvaluationScheme
from billing.policies.jinzhengban_2025_13_evaluation import INDICATORS
from billing.rules.evaluation import Scoring, Term
from tests.integration import page_world
from tests.integration.test_pages import client_of


@pytest.fixture
def world(session):
    return page_world.build(session)


def weights(**changes):
    form = {f"{one.key}.weight": str(one.weight) for one in INDICATORS}
    form |= {f"{one.key}.target": str(one.target) for one in INDICATORS if one.scoring is not Scoring.MANUAL}
    return {**form, "source": "示例通知1号", "reason": "示例", **changes}


def seen(page: str, indicator: str) -> dict[str, str]:
    """The entry that a page asks to be decided on."""
    found = re.search(rf'name="indicator" value="{indicator}"><input type="hidden" name="entry_id" value="(\d*)"', page)
    assert found is not None
    return {"entry_id": found[1]}


def test_a_paper_handed_in_after_the_page_was_opened_is_not_confirmed(app, world):
    official, operator = client_of(app, world, "official"), client_of(app, world, "operator")
    here = f"/evaluation/{world.platform.code}/{world.year}"
    page = official.get(here).text
    paper = {"indicator": "team", "value": "80", "reason": "示例新材料", "file": (io.BytesIO(b"%PDF-2"), "x.pdf")}
    assert operator.post(f"{here}/hand-in", data=paper).status_code == 302
    told = {"indicator": "team", "value": "80", "reason": ""}
    refused = official.post(f"{here}/decide", data=told | seen(page, "team"))
    assert (refused.status_code, "请查看最新内容" in refused.text, "示例新材料" in refused.text) == (409, True, True)
    assert official.post(f"{here}/decide", data=told | seen(refused.text, "team")).status_code == 302


def test_a_paper_may_have_20_mb_and_any_name(app, world):
    operator, here = client_of(app, world, "operator"), f"/evaluation/{world.platform.code}/{world.year}"
    name = "filename*=UTF-8''%E7%A4%BA%E4%BE%8B%E2%80%AEfdp%0D%0A%00.hta"
    content = b"%PDF-" + bytes(MOST_FILE_BYTES - 5)
    told = {"value": "80", "indicator": "rules", "reason": "示例"}
    assert operator.post(f"{here}/hand-in", **sent(told, name, content)).status_code == 302
    file = re.findall(r'href="(/evaluation/papers/\d+)"', operator.get(here).text)
    saved = [operator.get(one) for one in file]
    named = [one for one in saved if quote("示例fdp.pdf") in one.headers["Content-Disposition"]]
    assert [len(one.data) for one in named] == [MOST_FILE_BYTES]
    assert operator.post(f"{here}/hand-in", **sent(told, name, content + bytes(2**20))).status_code == 413
    # Other forms are not made for files.
    assert operator.post("/incidents", **sent({}, name, content[: 5 * 2**20])).status_code == 413


def sent(form: dict[str, str], name: str, content: bytes) -> dict[str, Any]:
    """A form with a file as a program may write it, whatever the file is called."""
    head = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in form.items()
    )
    head += f'--b\r\nContent-Disposition: form-data; name="file"; {name}\r\nContent-Type: text/html\r\n\r\n'
    body = head.encode() + content + b"\r\n--b--\r\n"
    return {"data": body, "content_type": "multipart/form-data; boundary=b"}


def test_a_year_goes_from_weights_over_papers_to_a_result_that_the_subsidy_reads(app, session, world):
    official, operator = client_of(app, world, "official"), client_of(app, world, "operator")
    year, here = world.year, f"/evaluation/{world.platform.code}/{world.year}"
    wrong = official.post(f"/evaluation/weights?year={year}", data=weights(**{"firms.weight": "9"}))
    assert (wrong.status_code, "权重合计应为 100，现为 101" in wrong.text) == (422, True)
    assert official.post(f"/evaluation/weights?year={year}", data=weights()).status_code == 302
    assert session.scalars(select(EvaluationScheme.year)).all() == [year]
    # The world's operator had handed in one paper; it hands in another that is none, then one that is.
    paper = {"indicator": "rules", "value": "77", "reason": "示例"}
    answer = operator.post(f"{here}/hand-in", data={**paper, "file": (io.BytesIO(b"<html>"), "x.pdf")})
    assert (answer.status_code, "PDF、PNG 或 JPEG" in answer.text, "示例</textarea>" in answer.text) == (
        422,
        True,
        True,
    )
    assert operator.post(f"{here}/hand-in", data={**paper, "file": (io.BytesIO(b"%PDF-1"), "x.pdf")}).status_code == 302
    page = official.get(here).text
    assert "还有 2 项人工指标等待确认" in page
    assert world.people["operator"].name not in page
    file = re.search(r'href="(/evaluation/papers/\d+)"', page)
    assert file is not None
    saved = official.get(file[1])
    assert saved.headers["Content-Disposition"].startswith("attachment")
    for key, value in (("team", "80"), ("rules", "70")):
        told = {"indicator": key, "value": value, "reason": "示例" if key == "rules" else "", **seen(page, key)}
        assert official.post(f"{here}/decide", data=told).status_code == 302
    total = re.search(r"记录评价结果：([\d.]+) 分", official.get(here).text)
    assert total is not None
    assert official.post(here, data={"document": "示例评估9号"}).status_code == 422
    decision = {"document": "示例评估9号", "selected": "yes"}
    stale = official.post(here, data={**decision, "seen": "1.00"})
    assert (stale.status_code, f"现为 {total[1]} 分" in stale.text) == (409, True)
    assert f'name="seen" value="{total[1]}"' in stale.text
    assert official.post(here, data={**decision, "seen": total[1]}).status_code == 302
    session.expire_all()
    kept = session.scalars(select(Evaluation).where(Evaluation.platform_id == world.platform.id)).one()
    assert (str(kept.score), kept.selected, kept.document) == (total[1], True, "示例评估9号")
    told = {"document": "示例评估10号", "selected": "no", "reason": "示例更正"}
    assert official.post(f"{here}/correct", data=told).status_code == 302
    shown = operator.get(here).text
    assert "更正记录" in shown
    assert "示例评估9号" in shown
    assert f'action="{here}/correct"' not in shown
    ranked = official.get(f"/evaluation?year={year}&format=csv").text
    assert "示例评估10号" in ranked
    assert len(ranked.splitlines()) == 3


def test_an_operator_sees_its_own_platforms_without_a_place_and_all_may_read_the_weights(app, session, world):
    told = {one.key: Term(one.weight, one.target) for one in INDICATORS}
    by = world.people["official"].id
    set_terms(session, world.year, told, source="示例通知2号", reason="示例", by=by, at=clock.now())
    session.commit()
    own = client_of(app, world, "operator").get("/evaluation").text
    assert "名次" not in own
    assert own.count("/evaluation/p") == 1
    assert client_of(app, world, "official").get("/evaluation").text.count("/evaluation/p") == 2
    for who in ("operator", "finance", "administrator"):
        page = client_of(app, world, who).get("/evaluation/weights").text
        assert "示例通知2号" in page
        assert ('name="firms.weight"' in page) == (who == "administrator")


def test_the_listed_use_is_what_the_figures_say(app, world):
    official = client_of(app, world, "official")
    year = official.get(f"/evaluation/{world.platform.code}/{world.year}").text
    use = official.get(f"/evaluation/{world.platform.code}/{world.year}/use")
    running = re.search(r"运行机时 .*?([\d.]+ h)", year, re.DOTALL)
    assert running is not None
    assert running[1] in use.text
    assert world.firm.name in use.text


def test_a_firm_rates_its_use_and_the_operator_reads_the_words_that_no_official_sees(app, session, world):
    firm, here = client_of(app, world, "member"), f"/reservations/{world.past.id}"
    assert 'id="feedback"' in firm.get(here).text
    assert firm.post(f"{here}/feedback", data={"stars": "9"}).status_code == 422
    assert firm.post(f"{here}/feedback", data={"stars": "2", "words": "示例：等太久"}).status_code == 302
    assert session.scalars(select(Feedback.stars)).all() == [2]
    assert client_of(app, world, "operator").get("/feedback").text.count("示例：等太久") == 1
    assert "示例：等太久" not in client_of(app, world, "official").get("/feedback").text
    assert "示例：等太久" not in client_of(app, world, "official").get("/feedback?format=csv").text
    coming = f"/reservations/{world.coming.id}"
    assert 'id="feedback"' not in firm.get(coming).text
    assert firm.post(f"{coming}/feedback", data={"stars": "5"}).status_code == 409
    # The firm's other use waits to be rated, until it is.
    waits = client_of(app, world, "manager").get("/").text
    found = re.search(r'href="(/reservations/\d+)#feedback"', waits)
    assert found is not None
    assert firm.post(f"{found[1]}/feedback", data={"stars": "5"}).status_code == 302
    assert "#feedback" not in client_of(app, world, "manager").get("/").text


def test_an_incident_is_recorded_and_closed_and_never_changed(app, session, world):
    operator = client_of(app, world, "operator")
    told = {
        "happened_on": f"{clock.local_date(clock.now())}", "severity": "major", "what_happened": "示例停电",
        "what_was_done": "示例疏散",
    }  # fmt: skip
    assert operator.post("/incidents", data={**told, "what_was_done": " "}).status_code == 422
    assert operator.post("/incidents", data={**told, "happened_on": "2999-01-01"}).status_code == 422
    assert operator.post("/incidents", data=told).status_code == 302
    one = session.scalars(select(Incident).where(Incident.what_happened == "示例停电")).one()
    closing = {"closed_on": told["happened_on"], "measures": "示例措施"}
    assert operator.post(f"/incidents/{one.id}/closing", data={**closing, "measures": ""}).status_code == 422
    assert operator.post(f"/incidents/{one.id}/closing", data=closing).status_code == 302
    assert operator.post(f"/incidents/{one.id}/closing", data=closing).status_code == 409
    assert "示例措施" in client_of(app, world, "official").get("/incidents?format=csv").text
