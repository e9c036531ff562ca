"""Every page answers those who may see it, in both languages, and nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.routing import Rule

from app.booking.models import Reservation
from app.identity.rules.permission import PUBLIC, Permission
from app.kernel import clock
from app.kernel.money import Money
from app.web.access import load_actor
from app.web.pages import SUBJECTS
from app.web.pages.check_in import kiosk_token
from app.web.river import evidence_path
from billing.correcting import free_to_credit
from billing.models import Charge, Invoice
from billing.rules.words import ChargeState, InvoiceState
from devices.usage import readings_of, usage
from tests import makers
from tests.integration import page_world
from tests.integration.page_world import World

ROLES = ("member", "manager", "other firm", "operator", "finance", "other operator", "official", "administrator")
STRANGERS = ("other firm", "other operator")
# These name a thing beside their path.
NAMED_BESIDE = {
    "review.issue", "tariffs.edit", "tariffs.preview", "tariffs.add", "invoice_files.prepare", "tax_invoices.usual",
    "closing.close", "closing.release", "sharing.record", "incidents.record", "claim_deeds.file", "other_grants.record",
}  # fmt: skip
# These name a thing that is nobody's own.
NOBODYS = {"policy.question"}
# These answer a stranger, but with nothing of the world's: what they name is looked for in the stranger's own part.
LOOKS_IN_OWN = {"review.approve", "check_in.machine", "check_in.power"}


@pytest.fixture(scope="module")
def house(new_database, tmp_path_factory) -> Iterator[tuple[Flask, World]]:
    """One world for all tests that only read."""
    from tests.conftest import running_app

    with running_app(new_database(), tmp_path_factory.mktemp("pages")) as app:
        from app.kernel.db import db

        world = page_world.build(db.session())
        world.claim = page_world.claimed(db.session(), world)
        yield app, world


class OneRequestAtATime(FlaskClient):
    """The fixtures keep an application context open, so what a request left in ``g`` has to go by hand."""

    def open(self, *args, **kwargs):
        for name in list(g):
            g.pop(name)
        return super().open(*args, **kwargs)


def client_of(app: Flask, world: World, who: str | None, language: str = "zh_CN") -> FlaskClient:
    app.test_client_class = OneRequestAtATime
    client = app.test_client()
    client.set_cookie("language", language)
    if who:
        with client.session_transaction() as session:
            session["_user_id"] = str(world.people[who].id)
            session["_fresh"] = True
    return client


@pytest.fixture
def visit(house) -> Callable[..., FlaskClient]:
    app, world = house
    return lambda who, language="zh_CN": client_of(app, world, who, language)


def arguments(world: World, rule: Rule) -> dict[str, object]:
    """Values for the places in an address: always things of the world's own firm and platform."""
    code = dict.fromkeys(
        ("platforms", "calendar", "subsidy", "forecast", "payers", "invoice_files"), world.platform.code
    )
    code["dossiers"] = world.platform.code
    code |= dict.fromkeys(("evaluation", "evaluation_entries", "evaluation_use"), world.platform.code)
    code["equipment"] = world.equipment.code
    code |= {
        "account": "en",
        "equipment_settings": world.equipment.code,
        "check_in": world.equipment.code,
        "conduct": world.platform.code,
    }
    known = {
        **({} if world.claim is None else asdict(world.claim)),
        "code": "en"
        if rule.endpoint == "account.language"
        else code.get(rule.endpoint.split(".")[0], world.meter.code),
        "year": world.year,
        "reservation_id": world.coming.id,
        "series_id": world.series.id,
        "request_id": world.work.id,
        "result_id": world.work.results[0].id,
        "session_id": world.usage.id,
        "invoice_id": world.invoice.id,
        "line_id": world.invoice.lines[0].id,
        "tax_invoice_id": world.tax_invoice.id,
        "red_id": world.red_request.id,
        "red_letter_id": world.red_letter.id,
        "agreement_id": world.shares.agreement_id,
        "proposal_id": world.shares.id,
        "work_id": world.long_work.id,
        "organization_id": world.firm.id,
        "month": f"{world.month:%Y-%m}",
        "message_id": 1,
        "key_id": 1,
        "alert_id": 1,
        "tariff_id": 1,
        "charge_id": world.invoice.lines[0].charge_id,
        "late_id": world.late.id,
        "qualification_id": 1,
        "requirement_id": 1,
        "closure_id": 1,
        "recognition_id": 1,
        "day": "2026-10-01",
        "entry_id": world.entry.id,
        "waiting_id": world.waiting.id,
        "token": world.feed_token,
        "number": "A02",
        "asset_id": 1,
        "paper_id": world.paper_id,
        "incident_id": world.incident_id,
        "dossier_id": world.dossier_id,
        "payment_id": world.money.payment_id,
        "account_id": world.money.account_id,
        "movement_id": world.money.movement_id,
        "statement_id": world.money.statement_id,
        "bank_line_id": world.money.bank_line_id,
        "journal_entry_id": world.money.journal_entry_id,
        "platform_id": world.platform.id,
    }
    return {name: known[name] for name in rule.arguments}


def query(world: World, endpoint: str) -> dict[str, object]:
    """What an address asks beside its path."""
    if endpoint == "usage.message":
        row = first_reading(world)
        return {"message_id": row.message_id, "received_at": row.received_at.isoformat()}
    if endpoint in ("seals.proof", "seals.proof_json"):
        row = first_reading(world)
        return {"taken_at": row.taken_at.isoformat(), "boot": row.boot, "seq": row.seq, "content": row.content}
    if endpoint == "calendar.feed":
        return {"from": world.past.during.start.isoformat(), "to": world.coming.during.end.isoformat()}
    if endpoint.startswith(("reservations.", "series.")) and endpoint.endswith((".new", ".estimate", ".book")):
        return {"equipment_id": world.equipment.id}
    if endpoint == "check_in.kiosk":
        return {"token": kiosk_token(world.equipment)}
    if endpoint in (
        "invoice_files.prepare",
        "tax_invoices.usual",
        "incidents.record",
        "claim_deeds.file",
        "other_grants.record",
    ):
        return {"platform_id": world.platform.id}
    if endpoint in ("closing.close", "closing.release", "sharing.record"):
        return {"platform_id": world.platform.id, "month": f"{world.month:%Y-%m}"}
    if endpoint == "review.issue":
        return {"platform_id": world.platform.id, "organization_id": world.firm.id}
    if endpoint in ("tariffs.edit", "tariffs.preview", "tariffs.add"):
        return {"equipment_id": world.equipment.id}
    if endpoint == "review.month":
        return {"month": f"{world.month:%Y-%m}"}
    return {}


def first_reading(world: World):
    from app.kernel.db import db

    return readings_of(db.session(), usage(db.session(), world.usage.id), limit=1)[0]


def page_rules(app: Flask, method: str) -> list[Rule]:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.split(".")[0] in SUBJECTS]
    return [rule for rule in rules if method in rule.methods]


def address(app: Flask, world: World, rule: Rule) -> str:
    with app.test_request_context():
        from flask import url_for

        return url_for(rule.endpoint, **{**arguments(world, rule), **query(world, rule.endpoint)})


def expected(app: Flask, world: World, rule: Rule, who: str | None) -> set[int]:
    permission = app.view_functions[rule.endpoint].permission
    if rule.endpoint == "meters.authority":
        return {404}  # this house has no broker with a certificate of its own
    if permission in PUBLIC:
        return {200, 302, 422}
    if who is None:
        return {302}
    if not load_actor(str(world.people[who].id)).may(permission):
        return {403}
    if rule.endpoint == "long_work.work":
        return {200} if who in ("operator", "finance") else {404}
    names_a_thing = bool(rule.arguments) or rule.endpoint in NAMED_BESIDE
    if who in STRANGERS and names_a_thing and rule.endpoint not in LOOKS_IN_OWN | NOBODYS:
        return {404}
    return {200, 302, 409, 422} if "POST" in rule.methods else {200}


def test_no_route_is_without_a_permission(app):
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        view = app.view_functions[rule.endpoint]
        by_class = getattr(view, "view_class", None)
        views = [view] if by_class is None else [getattr(by_class, method.lower()) for method in by_class.methods]
        for one in views:
            assert isinstance(getattr(one, "permission", None), Permission), rule


@pytest.mark.parametrize("language", ["zh_CN", "en"])
@pytest.mark.parametrize("who", [None, *ROLES])
def test_every_page_answers_who_may_see_it_and_refuses_the_others(house, visit, who, language):
    app, world = house
    client = visit(who, language)
    for rule in page_rules(app, "GET"):
        answer = client.get(address(app, world, rule))
        assert answer.status_code in expected(app, world, rule, who), f"{who} {rule}: {answer.status}"
        if answer.status_code == 200 and answer.mimetype == "text/html" and language == "en":
            assert 'lang="en"' in answer.text or "<html" not in answer.text


@pytest.mark.parametrize("who", [None, *ROLES])
def test_every_deed_refuses_who_may_not_do_it(app, session, who):
    world = page_world.build(session)
    world.claim = page_world.claimed(session, world)
    client = client_of(app, world, who)
    for rule in page_rules(app, "POST"):
        if rule.endpoint == "account.sign_out":
            continue
        answer = client.post(address(app, world, rule).partition("?")[0], data=query(world, rule.endpoint))
        assert answer.status_code in expected(app, world, rule, who), f"{who} {rule}: {answer.status}"


@pytest.mark.parametrize("who", STRANGERS)
def test_lists_show_a_stranger_nothing_of_ours(house, visit, who):
    app, world = house
    for rule in page_rules(app, "GET"):
        if rule.arguments or app.view_functions[rule.endpoint].permission in PUBLIC:
            continue
        if rule.endpoint == "assets.blank":
            continue  # an empty table, zipped
        text = visit(who).get(address(app, world, rule)).text
        assert world.invoice.label not in text
        assert world.firm.name not in text


def test_a_page_is_small_and_says_what_it_may_load(visit):
    answer = visit("operator").get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?![^>]*src=)(?![^>]*application/json)", answer.text)
    assert len(answer.data) < 30_000


def test_samples_are_marked_on_every_page(house, visit):
    app, world = house
    for rule in page_rules(app, "GET"):
        answer = visit("operator").get(address(app, world, rule))
        if answer.status_code == 200 and answer.data.startswith(b"<!doctype"):
            assert "示例</b>" in answer.text, rule


def test_a_slot_is_booked_moved_and_cancelled_without_script(app, session):
    world = page_world.build(session)
    before = session.scalar(select(func.count()).select_from(Reservation))
    client = client_of(app, world, "member")
    page = client.get("/reservations/new", query_string={"equipment_id": world.equipment.id}).text
    form = dict(re.findall(r'name="(idempotency_key|starts_at|ends_at)"[^>]*?value="([^"]+)"', page))
    form["equipment_id"] = world.equipment.id
    first, again = client.post("/reservations", data=form), client.post("/reservations", data=form)
    assert first.status_code == 302
    assert first.location == again.location
    assert client.post(f"{first.location}/cancel", data={"reason": ""}).status_code == 302
    assert session.scalar(select(func.count()).select_from(Reservation)) == before + 1


def test_a_taken_slot_offers_the_nearest_free_ones_in_place(app, session):
    world = page_world.build(session)
    when = world.coming.during
    from app.web.formats import input_time

    form = {
        "equipment_id": world.equipment.id,
        "starts_at": input_time(when.start),
        "ends_at": input_time(when.end),
        "idempotency_key": "k",
    }
    answer = client_of(app, world, "other firm").post("/reservations", data=form)
    assert answer.status_code == 409
    assert answer.text.count("改约这个时段") >= 3


def test_a_month_is_approved_and_issued_from_the_page(app, session):
    world = page_world.build(session)
    client = client_of(app, world, "operator")
    waiting = session.scalars(select(Charge).where(Charge.state == ChargeState.PROPOSED)).all()
    month = f"{waiting[0].served_at.astimezone().date():%Y-%m}"
    assert client.post("/review/approve", data={"month": month, "charge_id": [one.id for one in waiting]}).location
    page = client.get("/review", query_string={"month": month}).text
    assert "开具结算单：3 行" in page
    answer = client.post(
        "/review/issue",
        data={"month": month, "platform_id": world.platform.id, "organization_id": world.firm.id},
    )
    assert "/invoices/" in answer.location


def test_a_payment_and_a_credit_note_are_recorded_from_the_page(app, session):
    world = page_world.build(session)
    client, here = client_of(app, world, "finance"), f"/invoices/{world.invoice.id}"
    line = world.invoice.lines[0].id
    assert client.post(f"{here}/credit", data={f"line_{line}": "1.00", "reason": ""}).status_code == 422
    assert client.post(f"{here}/credit", data={f"line_{line}": "1.00", "reason": "示例"}).status_code == 302
    due = world.invoice.gross_fen - Money(100) - Money(100)
    money = f"/payments{here}"
    assert f'action="{money}"' in client.get(here).text
    beyond = {"amount": str(due + Money(500)), "paid_on": f"{clock.local_date(clock.now())}"}
    asked = client.post(money, data=beyond)
    assert (asked.status_code, "其中 ¥5.00 转入预存款" in asked.text) == (422, True)
    assert client.post(money, data={**beyond, "excess": "1"}).status_code == 302
    session.expire_all()
    assert session.get_one(Invoice, world.invoice.id).state is InvoiceState.PAID
    rest = free_to_credit(session, session.get_one(Invoice, world.invoice.id))
    whole = {f"line_{line_id}": str(amount) for line_id, amount in rest.items()}
    assert client.post(f"{here}/credit", data={**whole, "reason": "示例", "bill_again": "1"}).status_code == 302
    assert "已全部冲减" in client.get(here).text
    assert world.invoice.label in client.get("/invoices?state=credited").text
    again = session.scalars(select(Charge.state).where(Charge.again_of_id.is_not(None))).all()
    assert set(again) == {ChargeState.PROPOSED}


def test_the_evidence_path_leads_from_the_grant_to_the_readings(house, visit):
    app, world = house
    with app.test_request_context():
        from flask_login import login_user

        from app.kernel.db import db

        login_user(load_actor(str(world.people["operator"].id)))
        stops = evidence_path(db.session(), "usage", usage_id=world.usage.id)
    assert all(stop.href for stop in stops)
    for stop in stops:
        assert visit("operator").get(stop.href).status_code == 200


def test_a_table_is_exported_as_it_is_filtered(visit):
    answer = visit("operator").get("/invoices?format=csv")
    assert answer.mimetype == "text/csv"
    assert answer.text.count("\n") == 3
    assert visit("operator").get("/invoices?format=xlsx").data[:2] == b"PK"


def test_sign_in_sends_nobody_to_another_site(app, session):
    from app.identity.passwords import hashed
    from tests import makers

    person = makers.person(session, password_hash=hashed("right"))
    session.commit()
    client = OneRequestAtATime(app)
    wrong = client.post("/sign-in", data={"email": person.email, "password": "wrong"})
    assert wrong.status_code == 422
    for there in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
        answer = client.post(f"/sign-in?next={there}", data={"email": person.email, "password": "right"})
        assert answer.status_code == 302
        assert answer.location == "/"
        client.post("/sign-out")


def test_accessories_are_taken_along_from_the_form_and_their_stock_is_said(app, session):
    world = page_world.build(session)
    probe = makers.accessory(session, of=world.platform, name_zh="示例探头", stock=2)
    session.commit()
    client = client_of(app, world, "member")
    start = world.coming.during.start + timedelta(days=2)
    form = {
        "equipment_id": world.equipment.id,
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(hours=1)).isoformat(),
    }
    assert "示例探头" in client.get(f"/reservations/new?equipment_id={world.equipment.id}").text
    refused = client.post("/reservations", data={**form, f"accessory_{probe.id}": "3"})
    assert refused.status_code == 409
    assert "仅剩 2 件" in refused.text
    booked = client.post("/reservations", data={**form, f"accessory_{probe.id}": "2"}, follow_redirects=True)
    assert "示例探头 × 2" in booked.text
