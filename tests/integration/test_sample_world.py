from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from stdnum.cn import uscc

from app.catalogue.models import Equipment, Platform
from app.catalogue.seeding import load_catalogue, sample_uscc
from app.demo import seed_demo
from app.identity.models import Organization
from billing.assessing import judge_platform
from billing.models import Charge, Invoice, UseSettlement
from devices.models import UsageSession

AT = datetime(2026, 11, 24, 4, tzinfo=UTC)


def test_the_annexes_are_twelve_platforms_and_loading_twice_adds_nothing(session):
    assert load_catalogue(session, at=AT) == 91
    assert load_catalogue(session, at=AT) == 0
    assert session.scalar(select(func.count()).select_from(Platform)) == 12
    assert sum(len(one) for one in session.scalars(select(Platform.annex_entries))) == 19
    assert session.scalar(select(func.count()).select_from(Equipment).where(~Equipment.illustrative)) == 0
    assert all(uscc.is_valid(code) for code in session.scalars(select(Organization.uscc)) if code)


def test_sample_codes_have_right_check_characters():
    assert len({sample_uscc(f"DEMQ{number:04d}") for number in range(200)}) == 200
    assert all(uscc.is_valid(sample_uscc(f"DEMQ{number:04d}")) for number in range(200))


def test_the_sample_world_flows_from_readings_to_a_subsidy_and_is_made_once(session):
    assert seed_demo(session, at=AT)
    session.commit()
    assert not seed_demo(session, at=AT)
    used = session.scalar(select(func.count()).select_from(UsageSession))
    booked = session.scalar(
        select(func.count()).select_from(UsageSession).where(UsageSession.reservation_id.is_not(None))
    )
    assert used == booked > 50
    assert session.scalar(select(func.count()).select_from(UseSettlement).where(UseSettlement.status != "priced")) == 0
    assert {one.value for one in session.scalars(select(Charge.state).distinct())} == {"proposed", "invoiced"}
    platform = session.scalars(select(Platform).where(Platform.code == "hx-textile")).one()
    _, judgement = judge_platform(session, platform.id)
    assert judgement.grants[-1].payable.amount.fen > 0
    assert session.scalar(select(func.count()).select_from(Invoice).where(Invoice.number.is_(None))) == 0
