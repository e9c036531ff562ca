"""What can be taken away of the city, and what officials and managers tell there."""

from __future__ import annotations

import io
import json

import openpyxl
import pytest
from sqlalchemy import func, select

from app.catalogue.models import Recognition, RecognitionLevel
from app.identity.models import Organization
from app.kernel import clock
from app.web.formats import money
from billing.assessing import assess_platform
from billing.models import Assessment, Invoice
from devices.models import UsageSession
from tests.integration import page_world
from tests.integration.test_pages import client_of


def sheet_rows(content, name=None):
    book = openpyxl.load_workbook(io.BytesIO(content))
    return [list(row) for row in (book[name] if name else book.active).iter_rows(values_only=True)]


def test_the_report_by_town_and_park_opens_in_excel_and_adds_up(app, session):
    world = page_world.build(session)
    world.firm.town, world.firm.park = "东石镇", "示例园区"
    session.commit()
    official = client_of(app, world, "official")
    title, *rows, whole = sheet_rows(official.get(f"/city/places?year={world.year}&format=xlsx").data)
    assert whole[0] == "合计"
    for column in range(1, 6):
        assert sum(row[column] for row in rows) == pytest.approx(whole[column])
    mine = next(row for row in rows if row[0] == "东石镇")
    assert mine[4] > 0
    net = session.scalar(select(func.sum(Invoice.net_fen)).where(Invoice.organization_id == world.firm.id))
    assert mine[5] == pytest.approx(float(net.yuan))
    assert title[-1] == "示例"
    parks = sheet_rows(official.get(f"/city/places?by=park&year={world.year}&format=xlsx").data)
    assert parks[1][:2] == ["示例园区", mine[1]]
    assert "示例园区" in official.get("/city/places?by=park").text


def test_the_national_report_has_the_networks_fields_and_no_person(app, session):
    world = page_world.build(session)
    official = client_of(app, world, "official")
    content = official.get(f"/city/national?year={world.year}&format=xlsx").data
    names, *instruments = sheet_rows(content, "instruments")
    mine = dict(zip(names, next(row for row in instruments if row[0] == world.equipment.code), strict=True))
    assert (mine["worth"], mine["county"], mine["manufacturer"]) == (50, "晋江市", None)
    assert mine["serviceMachine"] <= mine["runMachine"]
    assert mine["serviceUrl"].endswith(f"/equipment/{world.equipment.code}")
    names, *records = sheet_rows(content, "records")
    used = session.scalars(select(UsageSession).where(~UsageSession.open)).all()
    assert {row[0] for row in records} == {row.id for row in used}
    record = dict(zip(names, next(row for row in records if row[0] == world.usage.id), strict=True))
    assert record["amounts"] == pytest.approx(float(world.invoice.gross_fen.yuan))
    assert (record["applicantUnit"], record["serviceWay"], record["serviceType"]) == (
        world.firm.name, "占用共享", "外部",
    )  # fmt: skip
    assert sum(dict(zip(names, row, strict=True))["serviceAmount"] for row in records) <= mine["serviceMachine"]
    names, *units = sheet_rows(content, "units")
    net = session.scalar(select(func.sum(Invoice.net_fen)))
    unit = next(row for row in units if dict(zip(names, row, strict=True))["invoices"])
    assert unit[names.index("serviceIncome")] == pytest.approx(float(net.yuan) / 10_000)
    told = json.loads(official.get(f"/city/national?year={world.year}&format=json").data)
    assert [row["recordInnerId"] for row in told["records"]] == [row[0] for row in records]
    text = json.dumps(told, ensure_ascii=False) + official.get("/city/national").text
    for person in world.people.values():
        if person.id != world.people["official"].id:
            assert person.name not in text
            assert person.email not in text
    only = official.get(f"/city/national?platform={world.platform.code}&format=json").data
    assert {row["innerId"] for row in json.loads(only)["instruments"]} == {world.equipment.code}


def test_too_many_records_for_one_file_are_refused_with_the_way_on(app, session, monkeypatch):
    world = page_world.build(session)
    monkeypatch.setattr("billing.national_report.MOST_RECORDS", 1)
    official = client_of(app, world, "official")
    assert "请按平台分别导出" in official.get("/city/national").text
    assert official.get("/city/national?format=xlsx").status_code == 302


def test_a_city_is_never_empty_before_its_first_adding_up_and_says_as_of_when_it_is(app, session):
    world = page_world.build(session)
    session.commit()
    official = client_of(app, world, "official")
    net = money(session.scalar(select(func.sum(Invoice.net_fen))))
    for path in ("/city", "/city/places", "/city/use", "/city/national"):
        assert "使用、企业和收入是截至" in official.get(f"{path}?year={world.year}").text
    assert net in official.get(f"/city?year={world.year}").text
    assert net in official.get(f"/city/places?year={world.year}").text


def test_every_table_of_the_city_opens_in_excel(app, session):
    world = page_world.build(session)
    official = client_of(app, world, "official")
    rows = sheet_rows(official.get("/city?format=xlsx").data)
    assert len(rows) == 1 + 2
    assert len(sheet_rows(official.get("/city/annex?format=xlsx").data)) == 1 + 19
    fields = sheet_rows(official.get("/city/use?format=xlsx").data)
    assert fields[-1][0] == "合计"
    assert fields[-1][13] == pytest.approx(sum(row[13] for row in fields[1:-1])) != 0
    assert sheet_rows(official.get("/city/recognitions?format=xlsx").data)[1][3] == "示例1号"
    for year in ("0", "99999", "x", "-5"):
        for path in ("/city", "/city/use", "/city/places", "/city/national"):
            assert official.get(f"{path}?year={year}").status_code == 200


def test_places_targets_and_annexes_are_read_in_english(app, session):
    world = page_world.build(session)
    official = client_of(app, world, "official")
    official.get("/language/en")
    assert "By 2027, strive to build 3 pilot-scale verification platforms" in official.get("/city").text
    towns = official.get("/city/places").text
    assert ("Chidian" in towns, "池店镇" in towns) == (True, False)
    assert "Platform name and host are identical" in official.get("/city/annex").text
    assert sheet_rows(official.get("/city/places?format=xlsx").data)[1][0] == "Qingyang Subdistrict"


def test_subsidies_open_in_excel_grant_by_grant(app, session):
    world = page_world.build(session)
    assess_platform(session, world.platform.id, at=clock.now())
    session.commit()
    mine = select(Assessment).where(Assessment.platform_id == world.platform.id).order_by(Assessment.id.desc())
    grants = session.scalars(mine).first().result["grants"]
    _, *rows = sheet_rows(client_of(app, world, "official").get("/subsidy?format=xlsx").data)
    assert [row[:2] for row in rows] == [[world.platform.name_zh, grant["year"]] for grant in grants] != []
    assert [row[3] for row in rows] == [pytest.approx(float(grant["payable"])) for grant in grants]
    assert all(row[3] == pytest.approx(row[4] + row[5]) for row in rows)


def test_an_official_records_a_recognition_and_a_manager_places_the_firm_on_their_pages(app, session):
    world = page_world.build(session)
    official = client_of(app, world, "official")
    form = {"platform_id": world.platform.id, "level": "provincial", "recognised_on": "2026-02-03", "document": ""}
    refused = official.post("/city/recognitions", data=form)
    assert (refused.status_code, "请填写文件号或文件名称" in refused.text) == (422, True)
    assert official.post("/city/recognitions", data={**form, "document": "示例省级9号"}).status_code == 302
    row = session.scalars(select(Recognition).where(Recognition.document == "示例省级9号")).one()
    assert (row.level, row.newly) == (RecognitionLevel.PROVINCIAL, False)
    back = f"/city/recognitions/{row.id}/withdraw"
    refused = official.post(back, data={"reason": " "})
    assert (refused.status_code, "请写明撤销的理由" in refused.text) == (422, True)
    assert official.post(back, data={"reason": "级别录错"}).status_code == 302
    shown = official.get("/city/recognitions").text
    assert ("已撤销：级别录错" in shown, "撤销 示例省级9号 的登记" in shown) == (True, False)
    assert "级别录错" in official.get("/city/recognitions?format=csv").text
    manager, here = client_of(app, world, "manager"), f"/organizations/{world.firm.id}"
    refused = manager.post(here, data={"town": "无名镇", "park": "示例园区"})
    assert refused.status_code == 422
    assert 'value="示例园区"' in refused.text
    assert manager.post(here, data={"town": "英林镇", "park": "示例园区"}).status_code == 302
    session.expire_all()
    assert session.get_one(Organization, world.firm.id).town == "英林镇"
    assert client_of(app, world, "other firm").post(here, data={"town": "英林镇"}).status_code == 404
    assert "示例鞋业" not in manager.get("/organizations").text
    administrator = client_of(app, world, "administrator")
    assert "示例鞋业" in administrator.get("/organizations?q=鞋业").text
    assert administrator.post(here, data={"town": "", "park": ""}).status_code == 302
    session.expire_all()
    assert session.get_one(Organization, world.firm.id).town is None
