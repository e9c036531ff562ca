from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from app.kernel.audit import AuditEntry
from app.kernel.clock import now
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import Money
from billing.assessing import judge_platform
from billing.assets import assets_of, correct_asset, facts_of_asset, import_assets, record_asset
from billing.models import Asset
from billing.rules.asset_sheet import HEADS, AssetRow
from tests import makers
from tests.integration import page_world
from tests.integration.test_pages import client_of

ROW = AssetRow(
    no="E-1", name="示例冷冻干燥机", kind="equipment", accepted_on=date(2026, 6, 30), paid_on=date(2026, 6, 5),
    cost=Money.of("1130000"), cost_includes_tax=True, tax_rate=Decimal("0.13"), input_tax_creditable=True,
)  # fmt: skip
CELLS = ["E-1", "示例冷冻干燥机", "设备", "2026-06-30", "2026-06-05", 1130000, "是", "13%", "是", None, None, None]


def workbook(*rows: list[Any], heads: list[str] | None = None, above: int = 0) -> bytes:
    book = openpyxl.Workbook()
    for _ in range(above):
        book.active.append(["示例平台资产清单"])
    for row in [heads or [head for head, _ in HEADS.values()], *rows]:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def cells(no: str, **changes: Any) -> list[Any]:
    return [no if field == "no" else changes.get(field, cell) for field, cell in zip(HEADS, CELLS, strict=True)]


@pytest.fixture
def platform(session) -> int:
    return makers.platform(session).id


@pytest.fixture
def person(session) -> int:
    return makers.person(session).id


def test_a_list_is_imported_whole_and_again_changes_nothing(session, platform, person):
    content = workbook(cells("E-1"), [None] * 12, cells("E-2", kind="软件", fiscal="30,000"), above=2)
    done = import_assets(session, platform, content, by=person, at=now())
    assert (len(done.added), done.known, done.errors) == (2, 0, ())
    assert [facts_of_asset(one) for one in assets_of(session, platform)] == [
        ROW,
        replace(ROW, no="E-2", kind="software", fiscal=Money.of("30000")),
    ]
    again = import_assets(session, platform, content, by=person, at=now())
    assert (again.added, again.known) == ((), 2)
    # Another platform has numbers of its own.
    assert import_assets(session, makers.platform(session).id, content, by=person, at=now()).known == 0


def test_one_wrong_cell_and_nothing_is_imported_but_every_error_is_told_by_row_and_column(session, platform, person):
    record_asset(session, platform, ROW, by=person, at=now())
    content = workbook(
        cells("E-1", cost=5), cells("E-2"), cells("E-3", kind="机器", cost="?"), cells("E-2"), cells("E-4", fiscal=9e9)
    )
    done = import_assets(session, platform, content, by=person, at=now())
    assert [(one.row, one.head) for one in done.errors] == [
        (2, "资产编号"), (4, "类别"), (4, "购置金额"), (5, "资产编号"), (6, "其中财政资金"),
    ]  # fmt: skip
    assert "第 3 行" in str(done.errors[3].error)
    assert [one.no for one in assets_of(session, platform)] == ["E-1"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "打不开"),
        (b"no workbook", "打不开"),
        (workbook(), "没有资产"),
        (workbook(cells("E-1"), heads=["甲", "乙"]), "没有找到表头"),
        (workbook(cells("E-1"), heads=["资产编号", "名称", *"cdefghijkl"]), "表头缺少：类别、验收日期"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_the_remedy(session, platform, person, content, said):
    with pytest.raises(InvalidInput, match=said):
        import_assets(session, platform, content, by=person, at=now())


def test_an_asset_is_corrected_with_a_reason_and_what_it_said_is_kept(session, platform, person):
    asset = record_asset(session, platform, ROW, by=person, at=now())
    with pytest.raises(Conflict):
        record_asset(session, platform, ROW, by=person, at=now())
    dearer = replace(ROW, cost=Money.of("1131000"), document="发票 2")
    for row, reason, error in (
        (dearer, " ", InvalidInput),
        (ROW, "示例", Conflict),
        (replace(ROW, no="X"), "示例", InvalidInput),
    ):
        with pytest.raises(error):
            correct_asset(session, asset.id, row, reason=reason, by=person, at=now())
    correct_asset(session, asset.id, dearer, reason="示例：金额登记有误", by=person, at=now())
    assert facts_of_asset(session.get_one(Asset, asset.id)) == dearer
    (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.deed == "asset_corrected"))
    assert (entry.detail["before"], entry.detail["after"]) == (
        {"cost": "1130000.00", "document": ""},
        {"cost": "1131000.00", "document": "发票 2"},
    )


def test_what_is_registered_is_granted(session):
    world = page_world.build(session)
    record_asset(session, world.platform.id, replace(ROW, no="E-9"), by=world.people["finance"].id, at=now())
    grants = {(one.programme, one.year): one for one in judge_platform(session, world.platform.id)[1].grants}
    # The world's own asset of 100,000 beside one of 1,000,000 without its tax.
    assert str(grants["P1", 2026].payable.amount) == "330000.00"
    assert grants["P1", 2026].payee == world.platform.host.name


def test_the_register_is_filled_from_its_pages(app, session):
    world = page_world.build(session)
    finance = client_of(app, world, "finance")
    blank = openpyxl.load_workbook(io.BytesIO(finance.get("/assets/blank.xlsx").data)).active
    assert [cell.value for cell in blank[1]] == [head for head, _ in HEADS.values()]
    sent = {"workbook": (io.BytesIO(workbook(cells("E-7"), cells("E-8", tax_rate="很多"))), "资产.xlsx")}
    refused = finance.post("/assets/import", data=sent)
    assert refused.status_code == 422
    assert "没有导入：1 行有误" in refused.text
    assert "应是百分数，例如 13%。" in refused.text or "不是数字" in refused.text
    sent = {"workbook": (io.BytesIO(workbook(cells("E-7"))), "资产.xlsx")}
    assert finance.post("/assets/import", data=sent).status_code == 302
    page = finance.get("/assets").text
    assert "已登记 1 项；0 项此前已登记，没有变化。" in page
    assert "E-7" in page
    # What was taken away can be sent back: nothing changes.
    taken = finance.get("/assets?format=xlsx").data
    assert finance.post("/assets/import", data={"workbook": (io.BytesIO(taken), "a.xlsx")}).status_code == 302
    assert "已登记 0 项；2 项此前已登记" in finance.get("/assets").text
    form = dict(zip(HEADS, ["E-8", *CELLS[1:9], "", "", ""], strict=True))
    wrong = finance.post("/assets/new", data=form | {"cost": "多少", "kind": "机器"})
    assert wrong.status_code == 422
    assert "“购置金额”不是数字" in wrong.text
    assert finance.post("/assets/new", data=form).status_code == 302
    asset = session.scalars(select(Asset).where(Asset.no == "E-8")).one()
    assert 'value="13%"' in finance.get(f"/assets/{asset.id}").text
    assert finance.post(f"/assets/{asset.id}", data=form | {"cost": "7"}).status_code == 422
    assert finance.post(f"/assets/{asset.id}", data=form | {"cost": "7", "reason": "示例"}).status_code == 302
    session.expire_all()
    assert session.get_one(Asset, asset.id).cost_fen == Money.of("7")
    for who, status in (("other operator", 404), ("member", 403), ("official", 403)):
        client = client_of(app, world, who)
        assert client.post(f"/assets/{asset.id}", data=form | {"cost": "8", "reason": "示例"}).status_code == status
        assert client.get(f"/assets/{asset.id}").status_code == status
    assert "E-8" in client_of(app, world, "official").get(f"/assets?platform_id={world.platform.id}").text
    other = client_of(app, world, "other operator")
    assert other.get(f"/assets?platform_id={world.platform.id}").status_code == 404
    sent = {"workbook": (io.BytesIO(workbook(cells("E-7"))), "资产.xlsx"), "platform_id": world.platform.id}
    assert other.post("/assets/import", data=sent).status_code == 404
    assert session.get_one(Asset, asset.id).cost_fen == Money.of("7")
