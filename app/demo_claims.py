"""The sample world's claims (示例): purchases of the year before, one claim decided and half paid, one under review."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from app.catalogue.models import Platform
from app.kernel import clock
from app.kernel.money import Money
from billing.assets import record_asset
from billing.claims.asking import answer, ask
from billing.claims.deciding import approve_claim, deduct
from billing.claims.filing import file_claim
from billing.claims.locking import lock_claim
from billing.claims.settling import BEARERS, due_from, pay_out
from billing.models import Claim
from billing.recognizing import recognize_revenue
from billing.rules.asset_sheet import AssetRow
from billing.rules.facts import AssetKind

PORTION = 200


def seed_claims(session: Session, platforms: list[Platform], *, operator: int, official: int, at: datetime) -> None:
    """Everything happened within the last hours, so that it lies in the past whenever the world is made."""
    year = clock.local_date(at).year - 1
    for platform in platforms:
        _bought(session, platform, "示例-001", "equipment", "1130000", date(year, 12, 10), by=operator, at=at)
        _bought(
            session, platform, "示例-002", "software", "226000", date(year, 12, 20), fiscal="45200", by=operator, at=at
        )
        _bought(session, platform, "示例-003", "equipment", "565000", date(year + 1, 1, 2), by=operator, at=at)
    while recognize_revenue(session, at=at, limit=PORTION):
        pass
    decided, reviewed = (_filed(session, one, year, by=operator, at=at - timedelta(hours=5)) for one in platforms)
    asked = ask(session, decided.id, "示例：软件的财政资金出自哪个项目？", by=official, at=at - timedelta(hours=4))
    answer(session, asked.id, "示例：市级技改项目，文件已随附。", by=operator, at=at - timedelta(hours=3))
    lock_claim(session, decided.id, by=official, at=at - timedelta(hours=2))
    deduct(
        session,
        decided.items[0].id,
        Money.of("6000"),
        reason="示例：安装费不属于设备软件",
        by=official,
        at=at - timedelta(hours=2),
    )
    approve_claim(session, decided.id, document=f"示例核〔{year + 1}〕1号", by=official, at=at - timedelta(hours=1))
    payer = BEARERS[1].key
    pay_out(
        session, decided.id, payer, due_from(decided, payer), paid_on=clock.local_date(at), document="示例拨款凭证 1",
        by=official, at=at,
    )  # fmt: skip
    ask(session, reviewed.id, "示例：验收单缺盖章页，请补。", by=official, at=at - timedelta(hours=1))


def _filed(session: Session, platform: Platform, year: int, *, by: int, at: datetime) -> Claim:
    claim = file_claim(session, platform.id, year, by=by, at=at)
    claim.illustrative = True
    session.flush()
    return claim


def _bought(
    session: Session,
    platform: Platform,
    no: str,
    kind: AssetKind,
    cost: str,
    on: date,
    *,
    fiscal: str = "0",
    by: int,
    at: datetime,
) -> None:
    row = AssetRow(
        no=no, name="示例中试设备" if kind == "equipment" else "示例过程控制软件", kind=kind,
        accepted_on=on, paid_on=on,
        cost=Money.of(cost), cost_includes_tax=True, tax_rate=Decimal("0.13"), input_tax_creditable=True,
        fiscal=Money.of(fiscal), already_paid_under=None, document="示例合同",
    )  # fmt: skip
    record_asset(session, platform.id, row, by=by, at=at).illustrative = True
