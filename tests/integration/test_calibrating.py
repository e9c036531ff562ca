"""A meter's profile is tried out on a day of readings and kept as a new version."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.kernel import clock
from app.kernel.audit import AuditEntry
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval
from devices.calibrating import last_heard, samples_within, save_profile, values_of, versions_of
from devices.metering import meter_readings
from devices.models import MeteringTask, MeterProfile, UsageSession
from devices.rules.trial import ProfileValues, trial
from tests.integration import page_world
from tests.integration.test_pages import client_of

HOUR = timedelta(hours=1)
WANTED = ProfileValues(run_on_w=1600, run_off_w=900, min_on_s=20, min_off_s=120, max_gap_s=300, rated_w=2000)


@pytest.fixture
def world(app, session):
    return page_world.build(session)


def saved(session, world, **given):
    return save_profile(
        session,
        world.meter.id,
        **{
            "values": WANTED,
            "valid_from": clock.now() - HOUR,
            "reason": "示例理由",
            "by": world.people["operator"].id,
            "at": clock.now(),
            **given,
        },
    )


def test_a_new_version_is_kept_audited_and_wakes_metering(session, world):
    profile = saved(session, world)
    assert profile.version == 2
    assert values_of(profile) == WANTED
    assert [one.version for one in versions_of(session, world.meter.id)] == [2, 1]
    assert session.get_one(MeteringTask, world.meter.id).dirty_from <= profile.valid_from
    entry = session.scalars(select(AuditEntry).where(AuditEntry.deed == "saved_profile")).one()
    assert (entry.subject, entry.subject_id, entry.detail["version"]) == ("meter", world.meter.id, 2)
    assert entry.detail["values"]["run_on_w"] == 1600


def test_use_that_began_before_keeps_its_version_and_later_use_gets_the_new_one(session, world):
    before, after = session.scalars(select(UsageSession).order_by(UsageSession.started_at)).all()
    profile = saved(session, world, valid_from=after.started_at - HOUR, values=WANTED_LOW)
    first = before.profile_id
    meter_readings(session, at=clock.now())
    session.expire_all()
    assert session.get_one(UsageSession, before.id).profile_id == first
    later = session.scalars(select(UsageSession).where(UsageSession.started_at > before.started_at)).one()
    assert later.profile_id == profile.id


WANTED_LOW = ProfileValues(run_on_w=300, run_off_w=200, min_on_s=20, min_off_s=120, max_gap_s=300, rated_w=2000)


def test_no_version_begins_before_invoiced_use_before_the_last_version_or_after_now(session, world):
    frozen = session.scalars(select(UsageSession).where(UsageSession.frozen_at.is_not(None))).one()
    for moment in (frozen.started_at, frozen.ended_at - timedelta(seconds=1), clock.now() + HOUR):
        with pytest.raises(InvalidInput) as refused:
            saved(session, world, valid_from=moment)
        assert refused.value.field == "valid_from"
    saved(session, world, valid_from=frozen.ended_at)
    saved(session, world, valid_from=frozen.ended_at)  # a slip is put right from the same moment on
    saved(session, world, valid_from=frozen.ended_at + HOUR)
    with pytest.raises(InvalidInput):
        saved(session, world, valid_from=frozen.ended_at)
    assert session.scalar(select(func.max(MeterProfile.version))) == 4


def test_a_version_needs_a_reason(session, world):
    with pytest.raises(InvalidInput) as refused:
        saved(session, world, reason="  ")
    assert refused.value.field == "reason"


def test_a_trial_with_the_present_values_finds_the_sessions_that_metering_found(session, world):
    frozen = session.scalars(select(UsageSession).where(UsageSession.frozen_at.is_not(None))).one()
    around = Interval(frozen.started_at - HOUR / 2, frozen.ended_at + HOUR / 2)
    samples = samples_within(session, world.meter.id, around)
    found = trial(samples, values_of(versions_of(session, world.meter.id)[0]), until=around.end)
    assert [(one.when, one.energy_mwh) for one in found.sessions] == [(frozen.during, frozen.energy_mwh)]
    assert last_heard(session, world.meter.id) > frozen.ended_at


def day_of(world):
    return clock.local_date(world.usage.started_at).isoformat()


FIELDS = ("run_on_w", "run_off_w", "min_on_s", "min_off_s", "max_gap_s", "spike_w")


def form(world, **changes):
    values = {name: getattr(WANTED_LOW, name) for name in FIELDS} | {"spike_w": "", "day": day_of(world)}
    return values | changes


def test_the_page_tries_values_out_beside_the_present_ones(app, world):
    client = client_of(app, world, "operator")
    page = client.get(f"/meters/{world.meter.code}/calibration?day={day_of(world)}")
    assert page.status_code == 200
    assert 'data-chart="power"' in page.text
    address = f"/meters/{world.meter.code}/calibration/trial"
    part = client.post(address, data=form(world, run_on_w=1600), headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.text
    assert "不再有" in part.text
    assert "<html" in client.post(address, data=form(world)).text  # without script it is a page
    wrong = client.post(address, data=form(world, run_off_w=9000), headers={"HX-Request": "true"})
    assert wrong.status_code == 422
    assert "停止阈值不能高于启动阈值" in wrong.text
    gone = client.post(address, data=form(world, upload="0" * 24), headers={"HX-Request": "true"})
    assert gone.status_code == 404
    assert "<html" not in gone.text


def test_the_page_keeps_a_version_and_gives_the_list_away(app, session, world):
    client = client_of(app, world, "operator")
    here = f"/meters/{world.meter.code}/calibration"
    now = f"{clock.now().astimezone(clock.FACILITY_ZONE):%Y-%m-%dT%H:%M}"
    refused = client.post(here, data=form(world, reason="", valid_from=now, run_on_w=321))
    assert refused.status_code == 422
    assert 'id="reason-error"' in refused.text
    assert 'value="321"' in refused.text
    assert client.post(here, data=form(world, reason="换了样机", valid_from=now, run_on_w="x")).status_code == 422
    assert client.post(here, data=form(world, reason="换了样机", valid_from=now, run_on_w=321)).status_code == 302
    table = list(csv.DictReader(io.StringIO(client.get(f"{here}?format=csv").data.decode("utf-8-sig"))))
    assert [(row["版本"], row["启动阈值（W）"], row["理由"]) for row in table] == [
        ("2", "321", "换了样机"),
        ("1", "200", ""),
    ]
    assert table[0]["修改人"] == world.people["operator"].name
    assert client.get(f"{here}?format=xlsx").data[:2] == b"PK"


PLUG = "".join(f"29/12/2011 08:{minute:02}:{second:02};{(0, 90)[minute % 10 >= 5]};0\n"
               for minute in range(60) for second in range(0, 60, 5))  # fmt: skip


def uploaded(client, world, content, name="day.csv"):
    return client.post(f"/meters/{world.meter.code}/calibration/upload", data={"file": (io.BytesIO(content), name)})


def test_an_uploaded_day_is_looked_at_by_whoever_uploaded_it_alone_and_goes_to_no_table(app, session, world):
    client = client_of(app, world, "operator")
    answer = uploaded(client, world, PLUG.encode())
    assert answer.status_code == 302
    name = answer.location.partition("upload=")[2]
    assert "720 条读数" in client.get(answer.location).text
    part = client.post(
        f"/meters/{world.meter.code}/calibration/trial",
        data=form(world, day="", upload=name, run_on_w=50, run_off_w=20),
        headers={"HX-Request": "true"},
    ).text
    assert part.count("新增") == 6
    assert client_of(app, world, "other operator").get(answer.location).status_code == 404
    assert session.scalar(select(func.count()).select_from(UsageSession)) == 2
    start = datetime(2011, 12, 1, tzinfo=UTC)
    assert samples_within(session, world.meter.id, Interval(start, start + timedelta(days=60))) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "文件是空的"),
        (b"29/12/2011 08:00:00;1;1\n29/13/2011 08:00:00;1;1\n", "第 2 行的时间"),
        (b"29/12/2011 08:00:00;1;1\n29/12/2011 08:00:01;nan;1\n", "第 2 行的 W"),
        ("时间,功率\n".encode(), "第 1 行不是表头"),
        (b"time,power_w\n2026-11-25T08:00:00,5\nyesterday,5\n", "第 3 行的 time"),
        (b"time,power_w,energy_wh\n2026-11-25T08:00:00,5\n", "第 2 行有 2 列"),
        (b"time,power_w\n2026-11-25T08:00:00,5\n2026-11-27T08:00:00,5\n", "第 3 行离最早的读数超过一天"),
        (b"\x1f\x8bnonsense", "压缩文件已损坏"),
        (b"\xff\xfe\x00", "不是 UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line_and_what_to_do(app, world, content, said):
    answer = uploaded(client_of(app, world, "operator"), world, content)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'id="file-error"' in answer.text


def test_a_meter_without_readings_says_what_to_do(app, session, world):
    from tests import makers

    silent = makers.meter(session, of=world.equipment, code="sample-silent")
    session.commit()
    page = client_of(app, world, "operator").get(f"/meters/{silent.code}/calibration").text
    assert "这一天没有功率读数" in page
    assert "先上传一天" in page


@pytest.mark.parametrize("who", ["other operator", "member", "finance"])
def test_a_stranger_neither_sees_nor_sets_a_profile(app, session, world, who):
    client = client_of(app, world, who)
    here = f"/meters/{world.meter.code}/calibration"
    assert client.get(here).status_code in (403, 404)
    assert client.post(here, data=form(world, reason="x", valid_from="2026-11-25T08:00")).status_code in (403, 404)
    assert client.post(f"{here}/trial", data=form(world)).status_code in (403, 404)
    assert uploaded(client, world, PLUG.encode()).status_code in (403, 404)
    assert session.scalar(select(func.count()).select_from(MeterProfile)) == 1
