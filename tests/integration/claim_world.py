"""A certified, selected platform with a year of invoices, and the people who file and decide its claim."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from app.catalogue.models import Recognition, RecognitionLevel
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.money import Money
from billing.assets import record_asset
from billing.claims.filing import file_claim
from billing.claims.locking import lock_claim
from billing.correcting import credit
from billing.models import Asset, Claim, Evaluation, Invoice
from billing.recognizing import recognize_revenue
from billing.rules.asset_sheet import AssetRow
from tests import makers
from tests.integration.invoice_world import InvoiceWorld

YEAR = 2026


def noon(day: str) -> datetime:
    return clock.local_midnight(date.fromisoformat(day)) + timedelta(hours=12)


class ClaimWorld(InvoiceWorld):
    """``issued`` and ``credited`` make revenue; ``filed`` and ``locked`` a claim of 2026."""

    def __init__(
        self, session: Session, *, certified: bool = True, selected: bool = True, second: bool = False
    ) -> None:
        super().__init__(session, second=second)
        self.authority = makers.organization(session, name="示例主管二部门" if second else "示例主管部门")
        self.official = makers.person(session, (self.authority, Role.OFFICIAL)).id
        self.platform.operating_since = date(2026, 1, 1)
        if certified:
            self.certify()
        if selected:
            self.select()
        session.flush()

    def certify(self) -> None:
        self.session.add(
            Recognition(
                platform_id=self.platform.id, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 1, 5),
                document="示例认定〔2026〕1号",
            )
        )  # fmt: skip
        self.session.flush()
        self.session.expire(self.platform)

    def select(self, year: int = YEAR) -> None:
        self.session.add(
            Evaluation(
                platform_id=self.platform.id, year=year, evaluated=True, selected=True, document="示例评〔2027〕1号"
            )
        )
        self.session.flush()

    def bought(self, no: str, cost: str, on: date) -> Asset:
        """A purchase without tax and without fiscal money."""
        row = AssetRow(
            no=no, name="示例设备", kind="equipment", accepted_on=on, paid_on=on, cost=Money.of(cost),
            cost_includes_tax=False, tax_rate=Decimal("0.13"), input_tax_creditable=True, fiscal=Money(0),
            already_paid_under=None, document="示例合同",
        )  # fmt: skip
        return record_asset(self.session, self.platform.id, row, by=self.by, at=noon("2027-01-02"))

    def earned(self, *grosses: str, **line: object) -> Invoice:
        """An issued invoice whose revenue is counted."""
        invoice = self.issued(*grosses, **line)
        recognize_revenue(self.session, at=noon("2026-12-31"))
        return invoice

    def credited(self, invoice: Invoice, gross: str, *, at: datetime) -> None:
        credit(
            self.session,
            invoice.id,
            amounts={invoice.lines[0].id: Money.of(gross)},
            reason="示例更正",
            by=self.by,
            at=at,
        )
        recognize_revenue(self.session, at=at)

    def filed(self, *, at: datetime | None = None) -> Claim:
        return file_claim(self.session, self.platform.id, YEAR, by=self.by, at=at or noon("2027-02-01"))

    def locked(self) -> Claim:
        return lock_claim(self.session, self.filed().id, by=self.official, at=noon("2027-03-01"))
