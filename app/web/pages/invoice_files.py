"""All statements of a month as files: prepared in the background, then taken away as one zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime

from flask import Blueprint, redirect, stream_with_context, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, NotFound
from app.kernel.long_work import LongWork, ask
from app.web.access import bounds, requires
from app.web.forms import month_in, number_in
from app.web.pages.long_work import RESULTS, WORDS
from billing.models import Invoice, InvoiceDocument
from billing.printing import PORTION, documents_of_month, kept_pdf

pages = Blueprint("invoice_files", __name__)
KIND = "invoice_pdfs"


@pages.post("/invoices/files")
@requires(Permission.ISSUE_INVOICES)
def prepare() -> Response:
    """Have the documents of a month made; the page of the work says how far it is."""
    platform_id, person_id = number_in("platform_id", 0), current_user.id
    month = month_in("month", clock.local_date(clock.now()))
    bounds(Permission.ISSUE_INVOICES).insist(platform_id=platform_id)
    work_id = in_transaction(
        lambda session: (
            ask(
                session,
                kind=KIND,
                platform_id=platform_id,
                arguments={"month": month.isoformat()},
                by=person_id,
                at=clock.now(),
            ).id
        )
    )
    return redirect(url_for("long_work.work", work_id=work_id))


@pages.get("/platforms/<code>/invoices/<month>.zip")
@requires(Permission.ISSUE_INVOICES)
def month_zip(code: str, month: str) -> Response:
    """The kept documents of a month, one after the other, never all in memory. A few that are missing are made now."""
    platform = db.session.scalar(select(Platform).where(Platform.code == code))
    if platform is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.ISSUE_INVOICES).insist(platform_id=platform.id)
    ids = _ids(platform.id, month)
    kept = set(db.session.scalars(select(InvoiceDocument.invoice_id).where(InvoiceDocument.invoice_id.in_(ids))))
    missing = [one for one in ids if one not in kept]
    if len(missing) > PORTION:
        raise Conflict("还有 %(count)s 份 PDF 没有备好，请先在结算单列表点“备好全部 PDF”。", count=len(missing))
    if missing:
        in_transaction(lambda session: _make(session, missing))
    answer = Response(stream_with_context(_zipped(ids)), mimetype="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{code}-{month}.zip")
    return answer


def _make(session: Session, missing: Sequence[int]) -> None:
    for one in missing:
        kept_pdf(session, session.get_one(Invoice, one), at=clock.now())


def _ids(platform_id: int, month: str) -> list[int]:
    try:
        first = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
    except ValueError:
        raise NotFound("没有找到这一项，或您无权查看。") from None
    return list(db.session.scalars(documents_of_month(platform_id=platform_id, month=first)))


def _zipped(ids: list[int]) -> Iterator[bytes]:
    """A zip as it grows. Stored, not packed: a PDF is packed already."""
    out = _Growing()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for one in ids:
            label = db.session.get_one(Invoice, one).label
            pdf, made_at = db.session.execute(
                select(InvoiceDocument.pdf, InvoiceDocument.made_at).where(InvoiceDocument.invoice_id == one)
            ).one()
            at = made_at.astimezone(clock.FACILITY_ZONE).timetuple()[:6]
            archive.writestr(zipfile.ZipInfo(f"{label}.pdf", date_time=at), pdf)
            yield out.taken()
    yield out.taken()


class _Growing(io.RawIOBase):
    """What is written, until it is taken."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self.parts.append(part)
        self.at += len(part)
        return len(part)

    def tell(self) -> int:
        return self.at

    def taken(self) -> bytes:
        found, self.parts = b"".join(self.parts), []
        return found


def _result(work: LongWork) -> str:
    platform = db.session.get(Platform, work.platform_id)
    month = str(work.arguments["month"])[:7]
    return "" if platform is None else url_for("invoice_files.month_zip", code=platform.code, month=month)


WORDS[KIND] = _l("备好一个月的结算单 PDF")
RESULTS[KIND] = _result
