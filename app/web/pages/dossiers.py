"""The dossiers of a platform's year: have one written, watch it grow, take it away, and how to verify it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, current_app, redirect, render_template, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.long_work import LongWork
from app.kernel.secrets import key_for
from app.web.access import bounds, requires
from app.web.forms import CALENDAR
from app.web.pages.long_work import RESULTS, WORDS
from app.web.pages.platforms import platform_by
from billing.dossier.sources import digest_carried
from billing.dossier.verify import fingerprint
from billing.dossier.writing import FOLDER, KIND, ask_for
from billing.models import Dossier
from devices.verifying import public_key_of

pages = Blueprint("dossiers", __name__)
PIECE = 1 << 20


@pages.get("/subsidy/<code>/<int:year>/dossier")
@requires(Permission.SEE_SUBSIDY)
def dossiers(code: str, year: int) -> str:
    platform = platform_by(code)
    bounds(Permission.SEE_SUBSIDY).insist(platform_id=platform.id)
    written = db.session.scalars(
        select(Dossier).where(Dossier.platform_id == platform.id, Dossier.year == year).order_by(Dossier.id.desc())
    ).all()
    under_way = db.session.scalar(
        select(LongWork)
        .where(
            LongWork.kind == KIND,
            LongWork.platform_id == platform.id,
            LongWork.arguments["year"].as_integer() == year,
            LongWork.finished_at.is_(None),
        )
        .order_by(LongWork.id.desc())
        .limit(1)
    )
    key = public_key_of(key_for("seals", master=current_app.config["MASTER_KEY"]))
    return render_template(
        "dossiers.html",
        platform=platform,
        year=year,
        dossiers=written,
        under_way=under_way,
        key=key.hex(),
        fingerprint=fingerprint(key),
        rules=digest_carried(),
    )


@pages.post("/subsidy/<code>/<int:year>/dossier")
@requires(Permission.SEE_SUBSIDY)
def write(code: str, year: int) -> Response:
    """Have the dossier written; the page of the work says how far it is."""
    platform = platform_by(code)
    bounds(Permission.SEE_SUBSIDY).insist(platform_id=platform.id)
    if year not in CALENDAR:
        raise InvalidInput("请选择年度。", field="year")
    platform_id, person_id = platform.id, current_user.id
    work_id = in_transaction(lambda session: ask_for(session, platform_id, year, by=person_id, at=clock.now()))
    return redirect(url_for("long_work.work", work_id=work_id))


@pages.get("/dossiers/<int:dossier_id>.zip")
@requires(Permission.SEE_SUBSIDY)
def take(dossier_id: int) -> Response:
    """The file, piece by piece."""
    one = db.session.get(Dossier, dossier_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.SEE_SUBSIDY).insist(platform_id=one.platform_id)
    file = Path(current_app.config["FOLDER"]) / FOLDER / one.file
    if not file.is_file():
        raise NotFound("这个证据包的文件已不在本机，请重新生成。")
    answer = Response(_pieces(file), mimetype="application/zip")
    answer.content_length = file.stat().st_size
    answer.headers.set("Content-Disposition", "attachment", filename=one.file)
    return answer


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(PIECE):
            yield piece


def _result(work: LongWork) -> str:
    code = db.session.scalar(select(Platform.code).where(Platform.id == work.platform_id))
    return "" if code is None else url_for("dossiers.dossiers", code=code, year=int(work.arguments["year"]))


WORDS[KIND] = _l("生成申报证据包")
RESULTS[KIND] = _result
