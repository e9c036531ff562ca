"""How long the pages of the city take in a year of many sessions, and what keeping their totals costs.

``python -m bench.city [sessions [firms]]``; 1,000,000 sessions of 5,000 firms on 12 platforms if nothing is said. The
floor is one bare aggregate of the same sessions, which looks at nothing but them.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from functools import partial

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.identity.rules.permission import Role
from app.identity.rules.town import towns_on
from app.kernel import clock
from app.kernel.db import db, in_transaction
from bench.billing import timed
from bench.calendar import settle
from bench.house import house
from billing.adding_up import add_up
from tests import makers

SESSIONS, FIRMS, PLATFORMS, MACHINES = 1_000_000, 5_000, 12, 40
YEAR = 2026
AT = datetime(2027, 1, 15, tzinfo=UTC)
FIELDS = ("纺织鞋服", "食品", "建材", "医疗健康", "智能装备", "新能源")

FIRMS_MADE = text(
    "INSERT INTO organization (name, uscc, region, town, park, illustrative, created_at)"
    " SELECT '示例企业 ' || number, CASE WHEN number % 10 > 0 THEN lpad(number::text, 18, '0') END,"
    " CASE WHEN number % 7 = 0 THEN '厦门' ELSE '晋江' END,"
    " CASE WHEN number % 7 > 0 THEN (CAST(:towns AS varchar[]))[1 + number % :most] END,"
    " CASE WHEN number % 3 = 0 THEN '示例园区 ' || number % 30 END, true, :at"
    " FROM generate_series(1, CAST(:firms AS int)) AS number RETURNING id"
)
# A platform serves a fifth of the firms. One run in twenty is the host's own, one in fifty nobody's; every other was
# reserved. Runs of one machine follow each other through the year.
TURNS = """
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS number,
    LATERAL (SELECT number % :machines AS machine, number / :machines AS turn) AS placed,
    LATERAL (SELECT machine / :each AS platform, (CAST(:equipment AS int[]))[1 + machine] AS equipment) AS at,
    LATERAL (SELECT CASE
        WHEN number % 50 = 7 THEN NULL
        WHEN turn % 20 = 0 THEN (CAST(:hosts AS int[]))[1 + platform]
        ELSE :first_firm + (platform * :firms / 12 + turn * 7919 % greatest(:firms / 5, 1)) % :firms END AS firm
    ) AS used,
    LATERAL (SELECT CAST(:begins AS timestamptz) + turn * CAST(:every AS interval) AS starts) AS timed,
    LATERAL (SELECT starts + (1 + number % 7) * interval '30 minutes' AS ends) AS ended
"""
RESERVATIONS = text(
    "INSERT INTO reservation (id, equipment_id, organization_id, person_id, during, state, purpose, created_at,"
    " changed_at) SELECT number, equipment, firm, :person, tstzrange(starts, ends), 'finished', '', starts, ends"
    f" {TURNS} WHERE number % 2 = 0 AND firm IS NOT NULL"
)
RUNS = text(
    "INSERT INTO usage_session (meter_id, equipment_id, reservation_id, organization_id, started_at, ended_at, during,"
    " open, running_s, energy_mwh, energy_estimated, gap_s, evidence, readings_count, readings_digest, rule_version,"
    " fingerprint, derived_at) SELECT NULL, equipment, CASE WHEN number % 2 = 0 AND firm IS NOT NULL THEN number END,"
    " firm, starts, ends, tstzrange(starts, ends), false,"
    " greatest(1, floor(extract(epoch FROM ends - starts) * (5 + number % 5) / 10)::int), 5000000, false, 0, 'booked',"
    f" 10, 'd', 1, 'f' || number, ends {TURNS}"
)
INVOICES = text(
    "INSERT INTO invoice (platform_id, seller_id, organization_id, kind, reason, month, state, year, number, issued_on,"
    " issued_at, net_fen, tax_fen, gross_fen, created_at)"
    " SELECT platform, seller, firm, 'invoice', '', CAST(:month AS date), 'issued', :year,"
    " extract(month FROM CAST(:month AS date)) * 100000 + row_number() OVER (PARTITION BY platform),"
    " CAST(:month AS date) + 27, :at, 100000 + firm, 0, 100000 + firm, :at"
    " FROM (SELECT DISTINCT equipment.platform_id AS platform, platform.host_id AS seller,"
    "  usage_session.organization_id AS firm FROM usage_session JOIN equipment ON equipment.id = equipment_id"
    "  JOIN platform ON platform.id = equipment.platform_id"
    "  WHERE started_at >= CAST(:month AS date) AND started_at < CAST(:month AS date) + interval '1 month'"
    "  AND usage_session.organization_id <> platform.host_id) AS served"
)


class CityBench:
    """A city whose platforms all were used through the year, and what an official needs to look at it."""

    def __init__(self, session: Session, *, sessions: int, firms: int) -> None:
        platforms = [makers.platform(session, field=FIELDS[number % len(FIELDS)]) for number in range(PLATFORMS)]
        equipment = [makers.equipment(session, of=one, open_all_day=False) for one in platforms * MACHINES]
        equipment.sort(key=lambda one: one.platform_id)
        authority = makers.organization(session, name="示例主管部门")
        self.code = platforms[0].code
        self.official = makers.person(session, (authority, Role.OFFICIAL)).id
        towns = towns_on(date(YEAR, 12, 31)).names
        made = {"towns": list(towns), "most": len(towns), "firms": firms, "at": AT}
        first_firm = min(session.scalars(FIRMS_MADE, made))
        told = {
            "first": 0, "last": sessions - 1, "machines": len(equipment), "each": MACHINES,
            "equipment": [one.id for one in equipment], "hosts": [one.host_id for one in platforms],
            "first_firm": first_firm, "firms": firms, "begins": datetime(YEAR, 1, 1, tzinfo=UTC),
            "every": f"{364 * 86400 * len(equipment) // sessions} seconds", "person": self.official,
        }  # fmt: skip
        # What ends waits to be charged; here nothing is.
        session.execute(text("ALTER TABLE usage_session DISABLE TRIGGER USER"))
        session.execute(RESERVATIONS, told)
        session.execute(RUNS, {name: one for name, one in told.items() if name != "person"})
        session.execute(text("ALTER TABLE usage_session ENABLE TRIGGER USER"))
        for month in range(1, 13):
            session.execute(INVOICES, {"month": date(YEAR, month, 1), "year": YEAR, "at": AT})


FLOOR = text(
    "SELECT equipment_id, sum(running_s) FROM usage_session WHERE started_at >= :start AND started_at < :end"
    " GROUP BY equipment_id"
)
PAGES = (
    "/city", "/city/annex", "/city/recognitions", "/city/places", "/city/places?by=park", "/city/use",
    "/city/use?field=食品", "/city/national", "/city/national?platform=…",
)  # fmt: skip
ROUNDS = 40


def main() -> None:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS
    firms = int(sys.argv[2]) if len(sys.argv) > 2 else min(FIRMS, max(sessions // 200, 10))
    with house() as (app, _, _):
        app.config["RATELIMIT_ENABLED"] = False
        world = in_transaction(partial(CityBench, sessions=sessions, firms=firms))
        settle()
        asked = {"start": clock.local_midnight(date(YEAR, 1, 1)), "end": clock.local_midnight(date(YEAR + 1, 1, 1))}
        floor = min(timed(lambda: db.session.execute(FLOOR, asked).all()) for _ in range(5))
        db.session.rollback()
        print(f"{sessions:,} sessions of {firms:,} firms; the floor, one bare aggregate of them: {floor * 1000:.0f} ms")
        adding = [timed(lambda: in_transaction(partial(add_up, year=YEAR, at=AT))) for _ in range(3)]
        print(f"{'add up the year':28} {adding[0] * 1000:8.0f} ms  {adding[0] / floor:6.2f}× the floor")
        print(f"{'  again':28} {min(adding[1:]) * 1000:8.0f} ms  {min(adding[1:]) / floor:6.2f}×")
        settle()
        client = app.test_client()
        with client.session_transaction() as told:
            told["_user_id"], told["_fresh"] = str(world.official), True
        for page in PAGES:
            address = f"{page.replace('…', world.code)}{'&' if '?' in page else '?'}year={YEAR}"
            if client.get(address).status_code != 200:
                raise AssertionError(address)
            took = min(timed(lambda: client.get(address)) for _ in range(ROUNDS))  # noqa: B023 - called at once
            print(f"page {page:23} {took * 1000:8.1f} ms  {took / floor:6.2f}×", flush=True)


if __name__ == "__main__":
    main()
