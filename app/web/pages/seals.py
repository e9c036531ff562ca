"""Seals: what proves that readings have not changed, for all of them and for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, current_app, jsonify, render_template, request
from flask_babel import gettext
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.kernel.errors import Conflict, NotFound
from app.kernel.secrets import key_for
from app.web.access import requires
from app.web.exports import Column, download
from app.web.pages.usage import visible
from app.web.paging import page_of, wanted_file
from app.web.river import evidence_path
from devices.models import ReadingBatch, Seal
from devices.proving import Proof, as_json, prove
from devices.sealing import hash_of
from devices.verifying import public_key_of, verify_seal

pages = Blueprint("seals", __name__)


@pages.get("/seals")
@requires(Permission.SEE_READINGS)
def list_seals() -> Response | str:
    """The newest first, each with what its signature and its place in the chain say now."""
    query = select(Seal).order_by(Seal.id.desc())
    holds = _judge()
    if form := wanted_file():
        columns: list[Column[Seal]] = [
            Column(gettext("封存"), lambda one: one.id, "number"),
            Column(gettext("封存时间"), lambda one: one.sealed_at, "time"),
            Column(gettext("读数"), lambda one: one.leaf_count, "number"),
            Column(gettext("根"), lambda one: one.root.hex()),
            Column(gettext("前一封存的散列"), lambda one: one.previous_hash.hex()),
            Column(gettext("签名"), lambda one: one.signature.hex()),
            Column(gettext("公钥"), lambda one: one.public_key.hex()),
            Column(gettext("核对"), lambda one: gettext("不符") if holds(one) else gettext("签名与链相符")),
        ]
        return download("seals", columns, db.session.scalars(query), form=form)
    page = page_of(db.session(), query)
    return render_template(
        "seals.html",
        page=page,
        wrong={one.id: holds(one) for one in page.rows},
        public_key=_public_key().hex(),
        waiting=db.session.scalar(select(func.count()).select_from(ReadingBatch).where(ReadingBatch.seal_id.is_(None))),
    )


@pages.get("/seals/key.json")
@requires(Permission.BROWSE)
def key() -> Response:
    """The public key, for everybody, and the newest seal's hash: whoever keeps that can tell if the past is changed."""
    newest = db.session.scalar(select(Seal).order_by(Seal.id.desc()).limit(1))
    return jsonify(
        {
            "algorithm": "Ed25519",
            "public_key": _public_key().hex(),
            "newest": newest and {"id": newest.id, "hash": hash_of(newest).hex()},
        }
    )


@pages.get("/usage/<int:session_id>/proof")
@requires(Permission.SEE_READINGS)
def proof(session_id: int) -> str:
    found, equipment = _proof(session_id)
    return render_template(
        "proof.html",
        proof=found,
        equipment=equipment,
        wrong=_judge()(found.seal) if found.seal else [],
        session_id=session_id,
        asked=request.args.to_dict(),
        river=evidence_path(db.session(), "readings", usage_id=session_id),
    )


@pages.get("/usage/<int:session_id>/proof.json")
@requires(Permission.SEE_READINGS)
def proof_json(session_id: int) -> Response:
    """Everything that a stranger needs to check one reading. Errors: ``Conflict`` where it is not sealed."""
    found, _ = _proof(session_id)
    if found.seal is None:
        raise Conflict("这条读数还没有封存，通常只需五分钟。")
    if found.index is None:
        raise Conflict("这条读数与封存时不同。")
    answer = jsonify(as_json(found, found.seal))
    answer.headers.set("Content-Disposition", "attachment", filename=f"proof-{found.seal.id}-{found.index}.json")
    return answer


def _proof(session_id: int) -> tuple[Proof, Equipment]:
    """The reading that the address names, if the session has it and the actor may see that."""
    one, equipment = visible(session_id, Permission.SEE_READINGS)
    try:
        taken_at = datetime.fromisoformat(request.args.get("taken_at", ""))
        boot, seq = int(request.args.get("boot", "")), int(request.args.get("seq", ""))
        content = bytes.fromhex(request.args.get("content", ""))
    except ValueError:
        raise NotFound("没有这条读数。") from None
    inside = taken_at.tzinfo is not None and one.when.start <= taken_at <= one.when.end and max(boot, seq) < 2**63
    if one.meter_id is None or not inside:
        raise NotFound("没有这条读数。")
    found = prove(db.session(), meter_id=one.meter_id, taken_at=taken_at, boot=boot, seq=seq, content_hash=content)
    if found is None:
        raise NotFound("没有这条读数。")
    return found, equipment


def _judge() -> Callable[[Seal], list[str]]:
    """What is wrong with a seal itself, as sentences."""
    trusted = [_public_key()]

    def wrong(seal: Seal) -> list[str]:
        findings = verify_seal(db.session(), seal, trusted=trusted)
        return [_sentence(one.sentence, {"seal": one.seal_id, **one.facts}) for one in findings]

    return wrong


def _sentence(sentence: str, facts: dict[str, Any]) -> str:
    return gettext(sentence) % facts


def _public_key() -> bytes:
    return public_key_of(key_for("seals", master=current_app.config["MASTER_KEY"]))
