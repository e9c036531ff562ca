"""How long a year of many invoice lines takes to judge and to freeze; and a page of it.

``python -m bench.subsidy [lines [firms]]``; 200,000 lines of 2,000 firms if nothing is said. The floor is one bare
SQL aggregate of the same lines.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.catalogue.models import Platform, Recognition, RecognitionLevel
from app.identity.rules.permission import Role
from app.kernel.db import db, in_transaction
from bench.billing import NOW, close, peak_mb, timed
from bench.house import house
from billing.answering import POLICY, settings_in_force
from billing.assessing import facts_of, judge_platform
from billing.claims.filing import file_claim
from billing.claims.locking import lock_claim
from billing.claims.record import basis_of
from billing.models import Evaluation
from billing.recognizing import recognize_revenue
from billing.rules.subsidy import assess
from tests import makers
from tests.integration.close_world import CloseWorld

LINES, FIRMS = 200_000, 2_000
MONTH = date(2026, 5, 1)
YEAR = 2026
FLOOR = text("SELECT category, sum(net_fen) FROM revenue_entry WHERE platform_id = :one GROUP BY category")


def certified(session: Session, world: CloseWorld) -> int:
    """The platform may be paid. Returns the official."""
    session.add(
        Recognition(
            platform_id=world.platform, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 1, 5), document="示例"
        )
    )
    session.add(Evaluation(platform_id=world.platform, year=YEAR, evaluated=True, selected=True, document="示例"))
    authority = makers.organization(session, name="示例主管部门")
    return makers.person(session, (authority, Role.OFFICIAL)).id


def said(what: str, seconds: float, floor: float) -> None:
    print(
        f"{what:34} {seconds * 1000:8.0f} ms   {seconds / floor:6.1f}× the aggregate   peak {peak_mb():4.0f} MB",
        flush=True,
    )


def best(work: Callable[[], object]) -> float:
    return min(timed(work) for _ in range(3))


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    firms = int(sys.argv[2]) if len(sys.argv) > 2 else min(FIRMS, lines // 4)
    with house() as (app, _, _):
        app.config["RATELIMIT_ENABLED"] = False
        world = in_transaction(lambda session: CloseWorld(session, firms=firms, at=NOW))
        official = in_transaction(lambda session: certified(session, world))
        in_transaction(lambda session: world.add(session, lines, month=MONTH))
        close(world, MONTH)
        while in_transaction(partial(recognize_revenue, at=NOW, limit=200)):
            pass
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        session, platform = db.session(), world.platform
        floor = best(partial(lambda: session.execute(FLOOR, {"one": platform}).all()))
        said(f"assess {lines} lines", best(partial(judge_platform, session, platform)), floor)
        settings = settings_in_force(session)
        said("  line by line: read", timed(lambda: facts_of(session, platform)), floor)
        facts = facts_of(session, platform)
        said("  line by line: judge", timed(lambda: assess(facts, settings, POLICY)), floor)
        client = app.test_client()
        with client.session_transaction() as told:
            told["_user_id"], told["_fresh"] = str(official), True
        code = session.scalars(select(Platform.code).where(Platform.id == platform)).one()
        db.session.rollback()
        for address in (f"/subsidy/{code}/{YEAR}", f"/subsidy/{code}/{YEAR}/revenue", "/city", "/claims"):
            client.get(address)
            said(f"page {address.replace(code, '…')}", best(partial(client.get, address)), floor)
        later = datetime(2027, 3, 1, tzinfo=UTC)
        claim = in_transaction(lambda one: file_claim(one, platform, YEAR, by=world.finance, at=later).id)
        said("lock", timed(lambda: in_transaction(lambda one: lock_claim(one, claim, by=official, at=later))), floor)
        said("assess what was locked", best(partial(lambda: basis_of(db.session(), platform, YEAR).judged())), floor)
        client.get(f"/claims/{claim}")
        said("page /claims/…", best(partial(client.get, f"/claims/{claim}")), floor)


if __name__ == "__main__":
    main()
