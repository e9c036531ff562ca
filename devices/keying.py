"""The keys that devices sign with: register, replace, end. Every deed is kept in the log.

Nobody but the device has the private half. A key is never changed or removed: it is valid for a time, and what it
signed then stays signed.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from devices.models import DeviceKey, Meter
from devices.rules.evidence import Dialect

LONGEST_NAME, LONGEST_OWNER = 80, 300
LEAST = timedelta(microseconds=1)
"""A key that is ended before it became valid was valid for so long."""


def keys_of(session: Session, meter_id: int) -> list[DeviceKey]:
    """The keys of a meter, the newest first."""
    return list(
        session.scalars(
            select(DeviceKey)
            .where(DeviceKey.meter_id == meter_id)
            .order_by(DeviceKey.valid_from.desc(), DeviceKey.id.desc())
        )
    )


def register_key(
    session: Session,
    meter_id: int,
    *,
    name: str,
    public_key: str,
    owner: str,
    valid_from: datetime,
    valid_until: datetime | None = None,
    by: int,
    at: datetime,
) -> DeviceKey:
    """A new key of a meter. Errors: ``InvalidInput`` with the field; ``Conflict`` where the meter cannot sign.

    Shape: ``public_key`` are the 32 bytes in hexadecimal or base64; ``name`` is what the device calls it.
    """
    meter = _locked(session, meter_id)
    if meter.dialect is not Dialect.NATIVE:
        raise Conflict("只有原生方言的电表能给报文签名。")
    known = key_in(public_key)
    if not name or len(name) > LONGEST_NAME:
        raise InvalidInput("请填写密钥名称，最多 %(most)s 个字。", field="name", most=LONGEST_NAME)
    if not owner or len(owner) > LONGEST_OWNER:
        raise InvalidInput("请填写谁保管私钥，最多 %(most)s 个字。", field="owner", most=LONGEST_OWNER)
    if valid_until is not None and valid_until <= valid_from:
        raise InvalidInput("失效时间应晚于生效时间。", field="valid_until")
    if session.scalar(select(DeviceKey.id).where(DeviceKey.meter_id == meter_id, DeviceKey.name == name)):
        raise InvalidInput("这台电表已有名为 %(name)s 的密钥，请换一个名称。", field="name", name=name)
    if session.scalar(select(DeviceKey.id).where(DeviceKey.public_key == known).limit(1)):
        raise InvalidInput("这把公钥已经登记过。每台电表应有自己的密钥。", field="public_key")
    key = DeviceKey(
        meter_id=meter_id,
        name=name,
        public_key=known,
        owner=owner,
        valid_from=valid_from,
        valid_until=valid_until,
        registered_by=by,
        registered_at=at,
    )
    session.add(key)
    session.flush()
    _log(session, key, "registered_key", by=by, at=at, public_key=known.hex(), owner=owner)
    return key


def rotate_key(
    session: Session, meter_id: int, key_id: int, *, name: str, public_key: str, by: int, at: datetime
) -> DeviceKey:
    """Put a new key of the same owner in the place of ``key_id``, which is valid until now. Errors: as above."""
    _locked(session, meter_id)
    old = _key(session, meter_id, key_id)
    new = register_key(
        session, meter_id, name=name, public_key=public_key, owner=old.owner, valid_from=at, by=by, at=at
    )
    end_key(session, meter_id, key_id, by=by, at=at)
    return new


def end_key(session: Session, meter_id: int, key_id: int, *, by: int, at: datetime) -> None:
    """From now on nothing that this key signs is taken. Errors: ``Conflict`` while the meter has to sign with it."""
    meter, key = _locked(session, meter_id), _key(session, meter_id, key_id)
    if key.valid_until is not None and key.valid_until <= at:
        raise Conflict("密钥 %(name)s 已经失效。", name=key.name)
    others = select(DeviceKey.id).where(
        DeviceKey.meter_id == meter_id,
        DeviceKey.id != key_id,
        DeviceKey.valid_from <= at,
        or_(DeviceKey.valid_until.is_(None), DeviceKey.valid_until > at),
    )
    if meter.signed_only and session.scalar(others.limit(1)) is None:
        raise Conflict("电表 %(code)s 只接受签名，这是它唯一有效的密钥。请先登记新密钥。", code=meter.code)
    key.valid_until = max(at, key.valid_from + LEAST)
    session.flush()
    _log(session, key, "ended_key", by=by, at=at)


def key_in(text: str) -> bytes:
    """The 32 bytes of a public key. Errors: ``InvalidInput`` of ``public_key``."""
    told = "".join(text.split())
    try:
        key = bytes.fromhex(told) if len(told) == 64 else base64.b64decode(told, validate=True)
        Ed25519PublicKey.from_public_bytes(key)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(
            "请填写 Ed25519 公钥：32 字节，写成 64 位十六进制或 44 个字符的 Base64。", field="public_key"
        ) from error
    return key


def _key(session: Session, meter_id: int, key_id: int) -> DeviceKey:
    key = session.get(DeviceKey, key_id)
    if key is None or key.meter_id != meter_id:
        raise NotFound("没有找到这一项，或您无权查看。")
    return key


def _locked(session: Session, meter_id: int) -> Meter:
    meter = session.get(Meter, meter_id, with_for_update=True)
    if meter is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return meter


def _log(session: Session, key: DeviceKey, deed: str, *, by: int, at: datetime, **detail: Any) -> None:
    audit.record(
        session, at=at, by=by, deed=deed, subject="meter", subject_id=key.meter_id, key=key.id, name=key.name, **detail
    )
