"""The lines that charges become on an invoice, written where the charges are: in the database."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import CTE, ColumnElement, Date, Insert, case, cast, func, insert, select, update
from sqlalchemy.orm import Session

from app.catalogue.models import Equipment
from app.kernel import clock
from billing.due import local
from billing.models import Charge, Invoice, InvoiceLine
from billing.rules.words import ChargeKind, ChargeState

LONGEST = 300
WORDS: dict[ChargeKind, tuple[str, str]] = {
    ChargeKind.HOURS: ("机时费", "hourly fee"),
    ChargeKind.RUN: ("按次使用费", "fee per run"),
    ChargeKind.BATCH: ("批次费", "fee per batch"),
    ChargeKind.SAMPLE: ("样品费", "fee per sample"),
    ChargeKind.MASS: ("按重量计费", "fee by mass"),
    ChargeKind.LENGTH: ("按长度计费", "fee by length"),
    ChargeKind.ENERGY: ("电费", "electricity"),
    ChargeKind.SETUP: ("开机费", "start-up fee"),
    ChargeKind.MATERIAL: ("材料费", "consumables"),
    ChargeKind.LABOUR: ("人工费", "labour"),
    ChargeKind.BOOKING: ("预约费", "booking fee"),
    ChargeKind.URGENT: ("加急费", "urgent surcharge"),
    ChargeKind.MINIMUM_TOP_UP: ("最低收费补足", "top-up to the minimum"),
    ChargeKind.CANCELLATION: ("取消费", "cancellation fee"),
    ChargeKind.NO_SHOW: ("爽约费", "no-show fee"),
    ChargeKind.SERVICE: ("委托服务", "commissioned work"),
    ChargeKind.ADJUSTMENT: ("调整", "adjustment"),
}


def take(session: Session, due: ColumnElement[bool], *, drafts: list[int], month: date) -> None:
    """Put what is due on the drafts of its firms, and mark it invoiced. One statement, O(charges).

    A charge that another has taken meanwhile is left out.
    """
    columns = Charge.__mapper__.columns
    taken = update(Charge).where(due).values(state=ChargeState.INVOICED).returning(*columns).cte()
    session.execute(_lines(taken, drafts=drafts, month=month))


def _lines(taken: CTE, *, drafts: list[int], month: date) -> Insert:
    charge: Any = taken.c
    described_zh, described_en = _descriptions(charge, month)
    columns: dict[str, Any] = {
        "invoice_id": Invoice.id,
        "position": func.row_number().over(partition_by=charge.organization_id, order_by=(charge.served_at, charge.id)),
        "charge_id": charge.id,
        "description_zh": func.left(described_zh, LONGEST),
        "description_en": func.left(described_en, LONGEST),
        "no_show_fee": charge.kind == ChargeKind.NO_SHOW,
        "served_on": cast(local(charge.served_at), Date),
    }
    same = (
        "explanation_zh", "explanation_en", "quantity", "unit", "unit_price", "net_fen", "tax_fen", "gross_fen",
        "tax_rate", "tax_code", "category", "relation",
    )  # fmt: skip
    columns |= {name: charge[name] for name in same}
    lines = (
        select(*columns.values())
        .select_from(taken)
        .join(Invoice, (Invoice.organization_id == charge.organization_id) & Invoice.id.in_(drafts))
        .outerjoin(Equipment, Equipment.id == charge.equipment_id)
    )
    return insert(InvoiceLine).from_select(list(columns), lines)


def _descriptions(charge: Any, month: date) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """What the line is for, in Chinese and English; late service names its month."""
    late = charge.served_at < clock.local_midnight(month)
    served = func.to_char(local(charge.served_at), "YYYY-MM")
    request = func.concat(" #", charge.service_request_id, " · ", charge.inputs["title"].astext)
    told = []
    for number, (language, equipment) in enumerate((("zh", Equipment.name_zh), ("en", Equipment.name_en))):
        word = case({kind.value: words[number] for kind, words in WORDS.items()}, value=charge.kind)
        named = func.coalesce(func.nullif(charge.inputs[f"name_{language}"].astext, ""), word)
        work = ("委托服务", "Commissioned work")[number]
        what = case(
            (charge.service_request_id.is_not(None), func.concat(work, request)),
            (equipment.is_not(None), func.concat(equipment, " · ", named)),
            else_=named,
        )
        prefix = (func.concat("补 ", served, "："), func.concat("For ", served, ": "))[number]
        told.append(case((late, func.concat(prefix, what)), else_=what))
    return told[0], told[1]
