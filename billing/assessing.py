"""What the policy grants a platform, from the facts in the database, by the same function as the simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload, selectinload

from app.catalogue.models import Platform, RecognitionLevel
from billing.answering import POLICY, settings_in_force
from billing.assets import assets_of
from billing.models import Assessment, Asset, Evaluation, Filing, Invoice, InvoiceLine, Payment, RevenueEntry
from billing.rules import facts as told
from billing.rules.subsidy import Assessment as Judgement
from billing.rules.subsidy import assess

LEVELS: dict[RecognitionLevel, told.RecognitionLevel] = {
    RecognitionLevel.PROVINCIAL: "provincial",
    RecognitionLevel.NATIONAL: "national",
    RecognitionLevel.NATIONAL_INNOVATION_CENTRE: "national_innovation_centre",
}


def judge_platform(session: Session, platform_id: int) -> tuple[told.Facts, Judgement]:
    """The platform's facts as recorded now and what follows from them. Stores nothing."""
    facts = facts_of(session, platform_id)
    return facts, assess(facts, settings_in_force(session), POLICY)


def assess_platform(session: Session, platform_id: int, *, at: datetime) -> bool:
    """Keep the judgement if the facts are new. Returns whether they were."""
    facts, judgement = judge_platform(session, platform_id)
    digest = hashlib.sha256(repr((POLICY.number, judgement.settings.values, facts)).encode()).hexdigest()
    stored = session.execute(
        insert(Assessment)
        .values(
            platform_id=platform_id,
            policy=POLICY.number,
            settings=dict(judgement.settings.values),
            facts_digest=digest,
            result=_result(judgement),
            assessed_at=at,
        )
        .on_conflict_do_nothing()
        .returning(Assessment.id)
    )
    return stored.first() is not None


def facts_of(session: Session, platform_id: int) -> told.Facts:
    """Everything the policy asks about one platform. Each line carries its id as ``ref``. O(issued lines)."""
    platform = session.get_one(Platform, platform_id, options=[selectinload(Platform.operators)])
    certified = next((one for one in platform.recognitions if one.level is RecognitionLevel.QUANZHOU), None)
    return told.Facts(
        platform=told.Platform(
            name=platform.name_zh,
            operators=tuple(
                told.Operator(one.organization.name, one.days.lower or date.min, _last_day(one.days.upper))
                for one in sorted(platform.operators, key=lambda one: one.days.lower or date.min)
            ),
            certified_on=certified.recognised_on if certified else None,
            certification_document=certified.document if certified else None,
            operating_since=platform.operating_since,
            host=platform.host.name,
        ),
        recognitions=tuple(
            told.Recognition(LEVELS[one.level], one.recognised_on, one.newly, one.document)
            for one in platform.recognitions
            if one.level in LEVELS
        ),
        evaluations=tuple(
            told.Evaluation(one.year, one.evaluated, one.selected, one.document)
            for one in session.scalars(
                select(Evaluation).where(Evaluation.platform_id == platform_id).order_by(Evaluation.year)
            )
        ),
        documents=_documents(session, platform_id),
        assets=tuple(_asset(one) for one in assets_of(session, platform_id)),
        filings=tuple(
            told.Filing(one.year, one.locked_on)
            for one in session.scalars(select(Filing).where(Filing.platform_id == platform_id).order_by(Filing.year))
        ),
    )


def _asset(one: Asset) -> told.Asset:
    return told.Asset(
        no=one.no,
        kind=one.kind,
        accepted_on=one.accepted_on,
        paid_on=one.paid_on,
        cost=one.cost_fen,
        cost_includes_tax=one.cost_includes_tax,
        tax_rate=one.tax_rate,
        input_tax_creditable=one.input_tax_creditable,
        fiscal=one.fiscal_fen,
        already_paid_under=one.already_paid_under,
    )


def _last_day(after: date | None) -> date | None:
    return None if after is None else date.fromordinal(after.toordinal() - 1)


def _documents(session: Session, platform_id: int) -> tuple[told.Document, ...]:
    """Invoices and credit notes whose revenue is recognized, by number."""
    entries = session.scalars(
        select(RevenueEntry)
        .where(RevenueEntry.platform_id == platform_id)
        .options(
            joinedload(RevenueEntry.line).joinedload(InvoiceLine.invoice).joinedload(Invoice.platform),
            joinedload(RevenueEntry.line).joinedload(InvoiceLine.invoice).joinedload(Invoice.credits),
        )
        .order_by(RevenueEntry.invoice_line_id)
    ).all()
    by_invoice: dict[int, list[RevenueEntry]] = {}
    for entry in entries:
        by_invoice.setdefault(entry.line.invoice_id, []).append(entry)
    payments: dict[int, list[told.Payment]] = {}
    for payment in session.scalars(
        select(Payment).where(Payment.invoice_id.in_(by_invoice)).order_by(Payment.paid_on, Payment.id)
    ):
        payments.setdefault(payment.invoice_id, []).append(told.Payment(payment.paid_on, payment.amount_fen))
    return tuple(_document(lines, payments.get(invoice_id, ())) for invoice_id, lines in by_invoice.items())


def _document(entries: Sequence[RevenueEntry], paid: Sequence[told.Payment]) -> told.Document:
    invoice = entries[0].line.invoice
    original = invoice.credits
    return told.Document(
        no=invoice.label,
        issued_on=entries[0].invoiced_on,
        service_on=min(entry.served_on for entry in entries),
        lines=tuple(
            told.Line(
                category=entry.category,
                amount=entry.net_fen + entry.tax_fen,
                tax_rate=entry.tax_rate,
                amount_includes_tax=True,
                customer_relation=entry.relation,
                no_show_fee=entry.no_show_fee,
                without_tax=entry.net_fen,
                service_on=entry.served_on,
                ref=str(entry.invoice_line_id),
            )
            for entry in entries
        ),
        paid=tuple(paid),
        credit_note_of=original.label if original is not None else None,
        ref=str(invoice.id),
    )


def _result(judgement: Judgement) -> dict[str, Any]:
    """The judgement as plain data, to be kept and compared."""
    return {
        "grants": [
            {
                "year": grant.year,
                "programme": grant.programme,
                "payable": str(grant.payable.amount),
                POLICY.upper.key: str(grant.payable.upper),
                POLICY.own.key: str(grant.payable.own),
                "payee": grant.payee,
                "estimate": None if grant.estimate is None else str(grant.estimate),
                "clawback": str(grant.clawback.amount),
            }
            for grant in judgement.grants
        ],
        "revenue": [
            {"year": one.year, "with_tax": str(one.with_tax), "base": str(one.base)} for one in judgement.revenue_years
        ],
        "flags": list(judgement.flags),
        "trace": [{"clause": step.clause, "zh": step.zh, "en": step.en} for step in judgement.trace],
    }
