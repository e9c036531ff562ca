"""A platform's books: firms with charges of the last two months, some invoiced, one paid, one with a deposit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from playwright.sync_api import ConsoleMessage, Page
from sqlalchemy.orm import Session

from app.identity.models import Membership, Organization, Person
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.money import Money
from billing.deposits import top_up
from billing.invoicing import issue_month
from billing.paying import record_payment
from billing.rules.period import month_back
from tests import makers
from tests.integration.close_world import CloseWorld

FIRMS = 130
WEAVER, SOLES, DYER, LAB = NAMES = (
    "晋江示例纺织有限公司",
    "泉州示例鞋材科技有限公司",
    "石狮示例印染有限公司",
    "南安示例新材料研究院有限公司",
)
EMAILS = {"finance": "finance@pilotshare.example", "firm": "firm@pilotshare.example"}


@dataclass(frozen=True)
class Books:
    """What tests name. ``finance`` keeps the platform's books, ``firm`` manages the weaver.

    ``to_close`` waits to be closed for 120 firms. Of ``month``, the one after it, the weaver and the laboratory
    have charges to review; the soles, the dyer and the laboratory an invoice each, the last one paid.
    """

    platform_id: int
    equipment_id: int
    to_close: date
    month: date
    invoices: dict[str, Issued]


@dataclass(frozen=True)
class Issued:
    id: int
    label: str
    gross: Money


def keep_books(session: Session, *, secret: str) -> Books:
    """Write the books; both people sign in with the password of which ``secret`` is the hash."""
    now = clock.now()
    month, to_close = (month_back(clock.local_date(now), back) for back in (1, 2))
    world = CloseWorld(session, firms=FIRMS, at=now - timedelta(days=20))
    for firm_id, name in zip(world.firms, NAMES, strict=False):
        session.get_one(Organization, firm_id).name = name
    finance = session.get_one(Person, world.finance)
    finance.email, finance.password_hash = EMAILS["finance"], secret
    manager = makers.person(session, email=EMAILS["firm"], password_hash=secret)
    session.add(Membership(person_id=manager.id, organization_id=world.firms[0], role=Role.FIRM_MANAGER))
    world.add(session, 120, month=to_close, first=len(NAMES))
    world.add(session, 3, month=month, first=1)
    invoices = {}
    for firm_id, name in zip(world.firms[1:], NAMES[1:], strict=False):
        made = issue_month(
            session, platform_id=world.platform, organization_id=firm_id, month=month, by=finance.id, at=now
        )
        invoices[name] = Issued(made.id, made.label, made.gross_fen)
    # Turns of all firms apart, so that they are again the weaver's and the laboratory's.
    for turn in (FIRMS, 2 * FIRMS, 2 * FIRMS + NAMES.index(LAB)):
        world.add(session, 1, month=month, state="proposed", first=turn)
    _receive(session, world, invoices[LAB], at_firm=world.firms[NAMES.index(LAB)])
    return Books(world.platform, world.equipment, to_close, month, invoices)


def _receive(session: Session, world: CloseWorld, paid: Issued, *, at_firm: int) -> None:
    now, by = clock.now(), world.finance
    today = clock.local_date(now)
    record_payment(session, paid.id, paid_on=today, amount=paid.gross, reference="示例流水 1", by=by, at=now)
    top_up(
        session, platform_id=world.platform, organization_id=at_firm, amount=Money.of("8000"), paid_on=today,
        reference="示例充值", by=by, at=now,
    )  # fmt: skip


def complaints_of(page: Page) -> list[str]:
    """What the page's console says is wrong, from now on."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said
