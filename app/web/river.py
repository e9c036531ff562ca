"""The evidence path: from a grant down to single readings, the same on every page.

补助 → 收入 → 结算单行 → 费用 → 使用记录 → 读数. Commissioned work stands where else the use stands, and
shows what was used for it. Each stop has its key figure and, for whoever may
follow it, its address. Stops that do not exist yet stay visible and empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext, ngettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.identity.rules.permission import Permission
from app.kernel.money import Money, total
from app.web.formats import hours, money
from billing.models import Charge, Invoice, InvoiceLine, RevenueEntry, SettledSession
from billing.statements import charges_of_sessions, use_of_request
from devices.models import UsageSession


@dataclass(frozen=True, slots=True)
class Stop:
    word: str
    figure: Any = ""
    href: str | None = None
    here: bool = False


def evidence_path(
    session: Session,
    here: str,
    *,
    usage_id: int | None = None,
    charge: Charge | None = None,
    line: InvoiceLine | None = None,
    entry: RevenueEntry | None = None,
    year: tuple[str, int, Money, Money] | None = None,
) -> list[Stop]:
    """The stops around one thing; the deepest thing that is given decides the rest.

    Shape: ``here`` is ``grant``, ``revenue``, ``line``, ``charge``, ``usage`` or ``readings``;
    ``year`` is the platform's code, the year, its base and what is payable.
    """
    if line is None and charge is not None:
        line = session.scalar(select(InvoiceLine).where(InvoiceLine.charge_id == charge.id))
    if line is None and charge is None and usage_id is not None:
        line = session.scalar(
            select(InvoiceLine)
            .join(Charge, Charge.id == InvoiceLine.charge_id)
            .join(SettledSession, SettledSession.use_settlement_id == Charge.use_settlement_id)
            .where(SettledSession.usage_session_id == usage_id)
            .order_by(InvoiceLine.position)
            .limit(1)
        )
    if line is None and entry is not None:
        line = entry.line
    if line is not None:
        charge = charge or line.charge
        entry = entry or session.scalar(select(RevenueEntry).where(RevenueEntry.invoice_line_id == line.id))
    above = [_grant(entry, line, year, here), _revenue(entry, line, year, here), _line(line, here)]
    if charge is not None and charge.service_request_id is not None:
        return [*above, *_service(session, charge, charge.service_request_id, here)]
    if charge is not None and usage_id is None:
        usage_id = charge.usage_session_id
        if usage_id is None:
            return [*above, _missed(charge, here)]
    return [
        *above,
        _charge(session, charge, usage_id, here),
        _usage(session, usage_id, here),
        _readings(session, usage_id, here),
    ]


def on_its_invoice(line: InvoiceLine) -> str | None:
    """The address of the page of its invoice that it is on, for whoever may see it."""
    anchor = f"line-{line.id}"
    return _link(Permission.SEE_INVOICES, "invoices.invoice", invoice_id=line.invoice_id, line=line.id, _anchor=anchor)


def _link(permission: Permission, endpoint: str, **values: Any) -> str | None:
    return url_for(endpoint, **values) if current_user.may(permission) else None


def _grant(
    entry: RevenueEntry | None, line: InvoiceLine | None, year: tuple[str, int, Money, Money] | None, here: str
) -> Stop:
    word = gettext("补助")
    if year is not None:
        code, number, _, payable = year
        href = _link(Permission.SEE_SUBSIDY, "subsidy.year", code=code, year=number)
        return Stop(word, f"{number} · {money(payable)}", href, here == "grant")
    if entry is None or line is None:
        return Stop(word)
    number = entry.invoiced_on.year
    code = line.invoice.platform.code
    return Stop(word, number, _link(Permission.SEE_SUBSIDY, "subsidy.year", code=code, year=number))


def _revenue(
    entry: RevenueEntry | None, line: InvoiceLine | None, year: tuple[str, int, Money, Money] | None, here: str
) -> Stop:
    word = gettext("收入")
    if year is not None:
        code, number, base, _ = year
        href = _link(Permission.SEE_SUBSIDY, "subsidy.revenue", code=code, year=number)
        return Stop(word, money(base), href, here == "revenue")
    if entry is None or line is None:
        return Stop(word, here=here == "revenue")
    href = _link(
        Permission.SEE_SUBSIDY,
        "subsidy.revenue",
        code=line.invoice.platform.code,
        year=entry.invoiced_on.year,
        line=line.id,
        _anchor=f"line-{line.id}",
    )
    return Stop(word, money(entry.net_fen), href, here == "revenue")


def _line(line: InvoiceLine | None, here: str) -> Stop:
    if line is None:
        return Stop(gettext("结算单行"))
    invoice: Invoice = line.invoice
    return Stop(gettext("结算单行"), f"{invoice.label} · {line.position}", on_its_invoice(line), here == "line")


def _service(session: Session, charge: Charge, request_id: int, here: str) -> list[Stop]:
    """Charge, request and readings of commissioned work; the request's page shows all three."""

    def at(anchor: str) -> str | None:
        endpoint = "service_requests.request_page"
        return _link(Permission.SEE_SERVICE, endpoint, request_id=request_id, _anchor=anchor)

    count = sum(one.readings_count for one in use_of_request(session, request_id))
    return [
        Stop(gettext("费用"), money(charge.gross_fen), at("charges"), here == "charge"),
        Stop(gettext("委托"), f"#{request_id}", at("steps"), here == "usage"),
        Stop(gettext("读数"), ngettext("%(num)s 条", "%(num)s 条", count), at("use"), here == "readings"),
    ]


def _charge(session: Session, charge: Charge | None, usage_id: int | None, here: str) -> Stop:
    word = gettext("费用")
    if usage_id is None:
        return Stop(word)
    if charge is not None:
        figure = money(charge.gross_fen)
    else:
        found = charges_of_sessions(session, [usage_id]).get(usage_id, [])
        figure = money(total([one.gross_fen for one in found])) if found else ""
    href = _link(Permission.SEE_USAGE, "usage.session", session_id=usage_id, _anchor="charges")
    return Stop(word, figure, href, here == "charge")


def _missed(charge: Charge, here: str) -> Stop:
    """A slot that nobody came to leads to its reservation: there are no readings, which is the point."""
    href = _link(
        Permission.SEE_RESERVATIONS, "reservations.reservation", reservation_id=charge.inputs["reservation_id"]
    )
    return Stop(gettext("未使用的预约"), money(charge.gross_fen), href, here == "charge")


def _usage(session: Session, usage_id: int | None, here: str) -> Stop:
    word = gettext("使用记录")
    if usage_id is None:
        return Stop(word)
    seconds = session.scalar(select(UsageSession.running_s).where(UsageSession.id == usage_id))
    return Stop(
        word,
        hours(seconds),
        _link(Permission.SEE_USAGE, "usage.session", session_id=usage_id),
        here == "usage",
    )


def _readings(session: Session, usage_id: int | None, here: str) -> Stop:
    word = gettext("读数")
    if usage_id is None:
        return Stop(word)
    count = session.scalar(select(UsageSession.readings_count).where(UsageSession.id == usage_id)) or 0
    return Stop(
        word,
        ngettext("%(num)s 条", "%(num)s 条", count),
        _link(Permission.SEE_READINGS, "usage.readings", session_id=usage_id),
        here == "readings",
    )
