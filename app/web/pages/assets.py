"""What a platform bought: the register that purchase subsidies are claimed from, and lists imported into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from operator import itemgetter

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import NotFound, Refusal
from app.kernel.money import total
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import wanted_file
from billing.assets import assets_of, correct_asset, facts_of_asset, import_assets, record_asset
from billing.models import Asset
from billing.rules.asset_sheet import HEADS, KINDS, AssetRow, read_row

pages = Blueprint("assets", __name__)

KIND_WORDS = {"equipment": _l("设备"), "software": _l("软件"), "facility": _l("设施")}


@pages.get("/assets")
@requires(Permission.SEE_ASSETS)
def list_assets() -> Response | str:
    platform = chosen_platform(Permission.SEE_ASSETS)
    if form := wanted_file():
        return download(
            f"assets-{platform.code}", _columns(), assets_of(db.session(), platform.id), form=form,
            is_sample=lambda one: one.illustrative,
        )  # fmt: skip
    return _list(platform)


@pages.get("/assets/blank.xlsx")
@requires(Permission.SEE_ASSETS)
def blank() -> Response:
    """The table to fill, with its headers and one example row."""
    empty: list[Column[dict[str, str]]] = [Column(head, itemgetter(field)) for field, (head, _) in HEADS.items()]
    return download("assets-blank", empty, [EXAMPLE], form="xlsx")


@pages.post("/assets/import")
@requires(Permission.MANAGE_ASSETS)
def send() -> Response | tuple[str, int]:
    """All rows of a list, or, if one is wrong, none."""
    platform, by = chosen_platform(Permission.MANAGE_ASSETS), current_user.id
    platform_id, given = platform.id, request.files.get("workbook")
    content = given.read() if given is not None else b""
    try:
        done = in_transaction(lambda session: import_assets(session, platform_id, content, by=by, at=clock.now()))
    except Refusal as refusal:
        return _list(db.session.get_one(Platform, platform_id), refusal=refusal), status_of(refusal)
    if done.errors:
        page = render_template(
            "asset_errors.html", platform=db.session.get_one(Platform, platform_id), errors=done.errors,
            rows=len({one.row for one in done.errors}), sentence=sentence,
        )  # fmt: skip
        return page, status_of(done.errors[0].error)
    flash(gettext("已登记 %(added)s 项；%(known)s 项此前已登记，没有变化。", added=len(done.added), known=done.known))
    return redirect(url_for(".list_assets", platform_id=platform_id))


@pages.get("/assets/new")
@requires(Permission.MANAGE_ASSETS)
def new() -> str:
    return _form(chosen_platform(Permission.MANAGE_ASSETS))


@pages.post("/assets/new")
@requires(Permission.MANAGE_ASSETS)
def add() -> Response | tuple[str, int]:
    platform_id, by = chosen_platform(Permission.MANAGE_ASSETS).id, current_user.id
    row, errors = read_row(request.form)
    try:
        if row is None:
            return _form(db.session.get_one(Platform, platform_id), errors=errors), status_of(errors[0])
        in_transaction(lambda session: record_asset(session, platform_id, row, by=by, at=clock.now()))
    except Refusal as refusal:
        return _form(db.session.get_one(Platform, platform_id), errors=[refusal]), status_of(refusal)
    flash(gettext("已登记资产 %(no)s。", no=row.no))
    return redirect(url_for(".list_assets", platform_id=platform_id))


@pages.get("/assets/<int:asset_id>")
@requires(Permission.MANAGE_ASSETS)
def edit(asset_id: int) -> str:
    asset = _asset(asset_id)
    return _form(db.session.get_one(Platform, asset.platform_id), asset=asset)


@pages.post("/assets/<int:asset_id>")
@requires(Permission.MANAGE_ASSETS)
def correct(asset_id: int) -> Response | tuple[str, int]:
    asset, by = _asset(asset_id), current_user.id
    platform_id = asset.platform_id
    row, errors = read_row({**request.form, "no": asset.no})
    reason = request.form.get("reason", "")
    try:
        if row is None:
            return _form(db.session.get_one(Platform, platform_id), asset=asset, errors=errors), status_of(errors[0])
        in_transaction(lambda session: correct_asset(session, asset_id, row, reason=reason, by=by, at=clock.now()))
    except Refusal as refusal:
        page = _form(db.session.get_one(Platform, platform_id), asset=_asset(asset_id), errors=[refusal])
        return page, status_of(refusal)
    flash(gettext("已更正资产 %(no)s，原内容留在操作记录里。", no=row.no))
    return redirect(url_for(".list_assets", platform_id=platform_id))


def _asset(asset_id: int) -> Asset:
    asset = db.session.get(Asset, asset_id)
    if asset is None:
        raise NotFound("没有这项资产。")
    bounds(Permission.MANAGE_ASSETS).insist(platform_id=asset.platform_id)
    return asset


def _columns() -> list[Column[Asset]]:
    """As a list is imported, so that an export can be filled on and sent back."""
    words = {kind: word for word, kind in KINDS.items()}

    def yes(value: bool) -> str:
        return "是" if value else "否"

    values: dict[str, Column[Asset]] = {
        "no": Column("", lambda one: one.no),
        "name": Column("", lambda one: one.name),
        "kind": Column("", lambda one: words[one.kind]),
        "accepted_on": Column("", lambda one: one.accepted_on, "day"),
        "paid_on": Column("", lambda one: one.paid_on, "day"),
        "cost": Column("", lambda one: one.cost_fen, "money"),
        "cost_includes_tax": Column("", lambda one: yes(one.cost_includes_tax)),
        "tax_rate": Column("", lambda one: one.tax_rate, "number"),
        "input_tax_creditable": Column("", lambda one: yes(one.input_tax_creditable)),
        "fiscal": Column("", lambda one: one.fiscal_fen, "money"),
        "already_paid_under": Column("", lambda one: one.already_paid_under or ""),
        "document": Column("", lambda one: one.document),
    }
    return [Column(HEADS[field][0], column.value, column.kind) for field, column in values.items()]


EXAMPLE = {
    "no": "示例-001", "name": "示例冷冻干燥机", "kind": "设备", "accepted_on": "2026-06-30", "paid_on": "2026-06-15",
    "cost": "1130000.00", "cost_includes_tax": "是", "tax_rate": "13%", "input_tax_creditable": "是", "fiscal": "0.00",
    "already_paid_under": "", "document": "示例发票号",
}  # fmt: skip


def _list(platform: Platform, *, refusal: Refusal | None = None) -> str:
    rows = assets_of(db.session(), platform.id)
    return render_template(
        "assets.html",
        platform=platform,
        platforms=own_platforms(Permission.SEE_ASSETS),
        rows=rows,
        cost=total([one.cost_fen for one in rows]),
        fiscal=total([one.fiscal_fen for one in rows]),
        may_manage=bounds(Permission.MANAGE_ASSETS).allows(platform_id=platform.id),
        kind_words=KIND_WORDS,
        refused=sentence(refusal) if refusal is not None else "",
    )


def _form(platform: Platform, *, asset: Asset | None = None, errors: Sequence[Refusal] = ()) -> str:
    return render_template(
        "asset_form.html",
        platform=platform,
        bought=asset,
        sent=request.form if request.method == "POST" else _written(asset),
        errors={one.field or "no": sentence(one) for one in errors},
        heads=HEADS,
        kinds=list(KINDS),
    )


def _written(asset: Asset | None) -> dict[str, str]:
    """A registered asset in the words of the form."""
    if asset is None:
        return {"tax_rate": "13%", "cost_includes_tax": "是", "input_tax_creditable": "是", "fiscal": "0.00"}
    row: AssetRow = facts_of_asset(asset)
    words = {kind: word for word, kind in KINDS.items()}
    values = {name: "" if value is None else str(value) for name, value in asdict(row).items()}
    yes_no = {True: "是", False: "否"}
    return values | {
        "kind": words[row.kind],
        "cost": str(row.cost),
        "fiscal": str(row.fiscal),
        "tax_rate": f"{row.tax_rate * 100:f}".rstrip("0").rstrip(".") + "%",
        "cost_includes_tax": yes_no[row.cost_includes_tax],
        "input_tax_creditable": yes_no[row.input_tax_creditable],
    }
