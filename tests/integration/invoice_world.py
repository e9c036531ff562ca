"""Issued invoices of any lines, for what comes after the issue: documents, tax invoices, red letters, payers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.interval import Interval
from app.kernel.money import ZERO, Money
from billing.invoicing import number_and_issue
from billing.models import Charge, Invoice, InvoiceLine, UseSettlement
from billing.rules.tax import taxed
from billing.rules.words import ChargeKind, ChargeState, InvoiceKind, InvoiceState, RevenueCategory, SettlementStatus
from devices.models import UsageSession
from devices.rules.evidence import Evidence
from tests import makers

AT = makers.BEGINNING.replace(month=7, day=2)
JUNE = date(2026, 6, 1)
SIX, NINE = Decimal("0.06"), Decimal("0.09")
CODE = "3040105000000000000"
CODES = (("91350582XXXX00019F", "91350582XXXX00027A"), ("91350582TEXT202533", "91350582DEMQ000857"))


class InvoiceWorld:
    """A platform, its finance person and a firm; :meth:`issued` makes an invoice of the given lines."""

    def __init__(self, session: Session, *, second: bool = False) -> None:
        self.session = session
        ours, theirs = CODES[second]
        self.operator = makers.organization(session, name="示例运营二公司" if second else "示例运营公司", uscc=ours)
        self.platform = makers.platform(session, operator=self.operator)
        self.equipment = makers.equipment(session, of=self.platform)
        self.meter = makers.meter(session, of=self.equipment)
        self.tariff = makers.tariff(session, of=self.equipment)
        self.firm = makers.organization(session, name="示例二企业" if second else "示例企业", uscc=theirs)
        self.finance = makers.person(session, (self.operator, Role.OPERATOR_FINANCE))
        self.by = self.finance.id
        self._settled = 0

    def issued(
        self,
        *grosses: str | tuple[str, Decimal],
        firm: Organization | None = None,
        month: date = JUNE,
        at: datetime = AT,
        **line: Any,
    ) -> Invoice:
        """One line for each gross amount, at 6 % or its own rate; ``line`` changes all of them."""
        firm = firm or self.firm
        charges = self._charges(firm, [one if isinstance(one, tuple) else (one, SIX) for one in grosses])
        invoice = Invoice(
            platform_id=self.platform.id, seller_id=self.operator.id, organization_id=firm.id,
            kind=InvoiceKind.INVOICE, month=month, state=InvoiceState.DRAFT, net_fen=ZERO, tax_fen=ZERO,
            gross_fen=ZERO, created_at=AT,
        )  # fmt: skip
        invoice.lines = [_line(position, one, line) for position, one in enumerate(charges, start=1)]
        self.session.add(invoice)
        self.session.flush()
        for one in charges:
            one.state = ChargeState.INVOICED
        number_and_issue(self.session, invoice, by=self.by, at=at)
        self.session.flush()
        return invoice

    def _charges(self, firm: Organization, amounts: Sequence[tuple[str, Decimal]]) -> list[Charge]:
        start = makers.BEGINNING.replace(month=6, day=10) + timedelta(hours=3 * self._settled)
        self._settled += 1
        when = Interval(start, start + timedelta(hours=2))
        used = UsageSession(
            meter_id=self.meter.id, equipment_id=self.equipment.id, organization_id=firm.id, started_at=when.start,
            ended_at=when.end, during=when, running_s=7200, energy_mwh=5_000_000, readings_count=10,
            readings_digest="d", rule_version=1, profile_id=self.meter.profiles[0].id, fingerprint="first",
            evidence=Evidence.METERED, derived_at=AT,
        )  # fmt: skip
        self.session.add(used)
        self.session.flush()
        settlement = UseSettlement(
            usage_session_id=used.id, platform_id=self.platform.id, equipment_id=self.equipment.id,
            organization_id=firm.id, tariff_id=self.tariff.id, status=SettlementStatus.PRICED, facts={},
            used_from=when.start, settled_at=AT,
        )  # fmt: skip
        self.session.add(settlement)
        self.session.flush()
        charges = [
            self._charge(firm, settlement, used, position, gross, rate)
            for position, (gross, rate) in enumerate(amounts, start=1)
        ]
        self.session.add_all(charges)
        self.session.flush()
        return charges

    def _charge(
        self,
        firm: Organization,
        settlement: UseSettlement,
        used: UsageSession,
        position: int,
        gross: str,
        rate: Decimal,
    ) -> Charge:
        amount = taxed(Decimal(gross), rate=rate, includes_tax=True)
        return Charge(
            use_settlement_id=settlement.id, usage_session_id=used.id, position=position,
            platform_id=self.platform.id, organization_id=firm.id, equipment_id=self.equipment.id,
            tariff_id=self.tariff.id, kind=ChargeKind.HOURS, quantity=Decimal(1), unit="h",
            unit_price=amount.gross.yuan, net_fen=amount.net, tax_fen=amount.tax, gross_fen=amount.gross,
            tax_rate=rate, tax_code=CODE, category=RevenueCategory.INSTRUMENT_SHARING,
            relation=CustomerRelation.EXTERNAL, explanation_zh=f"示例：1 h × ¥{amount.gross}",
            explanation_en=f"Sample: 1 h × ¥{amount.gross}", served_at=used.started_at, charged_at=AT,
            state=ChargeState.APPROVED, approved_by=self.by, approved_at=AT,
            inputs={
                "started_at": used.started_at.isoformat(), "ended_at": used.ended_at.isoformat(),
                "evidence": used.evidence.value,
            },
        )  # fmt: skip


def _line(position: int, charge: Charge, changed: dict[str, Any]) -> InvoiceLine:
    return InvoiceLine(**{
        "position": position, "charge_id": charge.id, "charge": charge, "description_zh": "示例设备 · 机时费",
        "description_en": "Sample equipment · hourly fee", "explanation_zh": charge.explanation_zh,
        "explanation_en": charge.explanation_en, "quantity": charge.quantity, "unit": charge.unit,
        "unit_price": charge.unit_price, "net_fen": charge.net_fen, "tax_fen": charge.tax_fen,
        "gross_fen": charge.gross_fen, "tax_rate": charge.tax_rate, "tax_code": charge.tax_code,
        "category": charge.category, "relation": charge.relation,
        "served_on": clock.local_date(charge.served_at), **changed,
    })  # fmt: skip


def fen(amount: str) -> Money:
    return Money.of(amount)
