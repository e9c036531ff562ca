"""Put meters on the wire, change them, give and take their passwords. Every deed is kept in the log.

A password follows from the code and ``credential_version``, so none is stored. To *retire* a meter is to refuse it
until it is activated again, with the password that it had. To *revoke* is for a password that got into wrong hands:
the meter is retired and the old password never opens anything again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.catalogue.models import Equipment
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from devices.accounts import LISTENER, Account, insist_on_code, listener_account, meter_account, meter_password
from devices.models import DeviceKey, Meter, MeterProfile
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of

LEAST = {
    "run_on_w": 1, "run_off_w": 0, "min_on_s": 0, "min_off_s": 0, "max_gap_s": 1, "rated_w": 1,
    "lead_s": 0, "post_s": 0,
}  # fmt: skip
"""The numbers of a profile, in watts and seconds, and the least that each may be."""
MOST = 10_000_000
SUGGESTED = {
    "run_on_w": 200, "run_off_w": 100, "min_on_s": 30, "min_off_s": 120, "max_gap_s": 600, "rated_w": 3000,
    "lead_s": 0, "post_s": 0,
}  # fmt: skip
CANNOT_SWITCH = frozenset({Dialect.SPARKPLUG})
RESERVED = frozenset({"new"})
"""Codes that are addresses of this site."""
LONGEST_CHANNEL = 80


def register_meter(
    session: Session,
    *,
    code: str,
    equipment_id: int,
    dialect: Dialect,
    carrier: str | None = None,
    channel: str = "",
    profile: Mapping[str, int],
    by: int,
    at: datetime,
) -> Meter:
    """A new meter, switched on, with the first version of its profile.

    Shape: ``carrier`` is the code of the device whose connection it speaks through, as ``channel``; ``profile`` has
    every name of ``LEAST``. Errors: ``InvalidInput`` with the field.
    """
    insist_on_code(code)
    if code.lower() in RESERVED or session.scalar(select(Meter.id).where(func.lower(Meter.code) == code.lower())):
        raise InvalidInput("编号 %(code)s 已被使用，请换一个。", field="code", code=code)
    equipment = session.get(Equipment, equipment_id)
    if equipment is None:
        raise InvalidInput("请选择设备。", field="equipment_id")
    numbers = _profile(profile)
    bearer = _carrier(session, carrier, platform_id=equipment.platform_id, dialect=dialect)
    named = _channel(session, bearer, channel)
    meter = Meter(
        code=code,
        equipment_id=equipment_id,
        dialect=dialect,
        shard=shard_of(code),
        carrier_id=bearer.id if bearer else None,
        channel=named,
        created_at=at,
    )
    try:
        with session.begin_nested():
            session.add(meter)
    except IntegrityError:  # somebody else was quicker, by a moment
        raise InvalidInput("编号 %(code)s 已被使用，请换一个。", field="code", code=code) from None
    session.add(MeterProfile(meter_id=meter.id, version=1, made_by=by, created_at=at, **numbers))
    told = {"code": code, "equipment_id": equipment_id, "dialect": dialect.value, "carrier": carrier, "channel": named}
    _log(session, meter, "registered_meter", by=by, at=at, **told, profile=numbers)
    session.flush()
    return meter


def change_meter(session: Session, meter_id: int, changes: Mapping[str, Any], *, by: int, at: datetime) -> bool:
    """Change ``carrier`` (a code or None), ``channel``, ``interlocked``, ``fail_safe``, ``signed_only``.

    Returns whether anything did. Errors: ``InvalidInput`` with the field; ``Conflict`` for one that carries others.
    """
    meter = _locked(session, meter_id)
    wanted: dict[str, Any] = {
        name: changes[name] for name in ("interlocked", "fail_safe", "signed_only") if name in changes
    }
    if "carrier" in changes or "channel" in changes:
        code = changes.get("carrier", meter.carrier.code if meter.carrier else None)
        bearer = _carrier(session, code, platform_id=meter.equipment.platform_id, dialect=meter.dialect, carried=meter)
        wanted["channel"] = _channel(session, bearer, changes.get("channel", meter.channel), carried=meter)
        wanted["carrier_id"] = bearer.id if bearer else None
    if wanted.get("interlocked") and meter.dialect in CANNOT_SWITCH:
        raise InvalidInput("这种方言的设备不能由本系统通断电。", field="interlocked")
    if wanted.get("signed_only"):
        _insist_on_key(session, meter)
    changed = {name: value for name, value in wanted.items() if getattr(meter, name) != value}
    if changed:
        before = {name: getattr(meter, name) for name in changed}
        for name, value in changed.items():
            setattr(meter, name, value)
        _log(session, meter, "changed_meter", by=by, at=at, before=before, now=changed)
        session.flush()
    return bool(changed)


def retire(session: Session, meter_id: int, *, by: int, at: datetime) -> None:
    """From now on nothing that it says is taken. Errors: ``Conflict`` while others speak through it."""
    _switch(session, _locked(session, meter_id), on=False, by=by, at=at)


def activate(session: Session, meter_id: int, *, by: int, at: datetime) -> None:
    """Let it speak again. Errors: ``Conflict`` while its carrier is retired."""
    meter = _locked(session, meter_id)
    if meter.carrier is not None and not meter.carrier.active:
        raise Conflict("它所在的设备 %(code)s 已停用，请先启用那一台。", code=meter.carrier.code)
    _switch(session, meter, on=True, by=by, at=at)


def renew_credentials(session: Session, meter_id: int, *, by: int, at: datetime) -> int:
    """The next version of its password; the one before stops working. Errors: ``Conflict``."""
    meter = _with_connection(session, meter_id)
    if not meter.active:
        raise Conflict("电表 %(code)s 已停用。请先启用，再更换密码。", code=meter.code)
    meter.credential_version += 1
    _log(session, meter, "renewed_credentials", by=by, at=at, version=meter.credential_version)
    session.flush()
    return meter.credential_version


def revoke_credentials(session: Session, meter_id: int, *, by: int, at: datetime) -> None:
    """End what its password opens, for good, and retire it. Those that speak through it fall silent with it."""
    meter = _with_connection(session, meter_id)
    meter.credential_version += 1
    meter.active = False
    _log(session, meter, "revoked_credentials", by=by, at=at, version=meter.credential_version)
    session.flush()


def wire_accounts(session: Session, key: bytes) -> list[Account]:
    """Who may connect just now: the listener, and each active meter with a connection of its own. O(meters)."""
    rows = session.execute(
        select(Meter.code, Meter.shard, Meter.credential_version, Meter.dialect)
        .where(Meter.active, Meter.carrier_id.is_(None))
        .order_by(Meter.id)
    )
    meters = [
        meter_account(code, shard, meter_password(key, code, version), dialect)
        for code, shard, version, dialect in rows
    ]
    return [listener_account(meter_password(key, LISTENER, 1)), *meters]


def _profile(told: Mapping[str, int]) -> dict[str, int]:
    for name, least in LEAST.items():
        if not least <= told[name] <= MOST:
            raise InvalidInput("请填写 %(least)s 至 %(most)s 之间的整数。", field=name, least=least, most=MOST)
    if told["run_off_w"] > told["run_on_w"]:
        raise InvalidInput("停止阈值不能高于启动阈值。", field="run_off_w")
    return {name: told[name] for name in LEAST}


def _carrier(
    session: Session, code: str | None, *, platform_id: int, dialect: Dialect, carried: Meter | None = None
) -> Meter | None:
    """The meter with the connection, locked so that it does not begin to speak through another meanwhile."""
    if not code:
        return None
    bearer = session.scalar(select(Meter).where(Meter.code == code).with_for_update())
    if bearer is None or bearer.equipment.platform_id != platform_id:
        raise InvalidInput("没有电表 %(carrier)s。", field="carrier", carrier=code)
    if bearer.carrier_id is not None or bearer is carried:
        raise InvalidInput("%(carrier)s 没有自己的连接。", field="carrier", carrier=code)
    if bearer.dialect is not dialect:
        raise InvalidInput("%(carrier)s 使用另一种方言。", field="carrier", carrier=code)
    if dialect is Dialect.NATIVE:
        raise InvalidInput("原生方言的电表各有自己的连接。", field="carrier")
    if carried is not None and _carries(session, carried):
        raise Conflict("有其他电表经 %(code)s 通信，它须保留自己的连接。", code=carried.code)
    return bearer


def _channel(session: Session, bearer: Meter | None, channel: str, *, carried: Meter | None = None) -> str:
    named = channel.strip()
    if bearer is None:
        if named:
            raise InvalidInput("有自己连接的电表没有通道。", field="channel")
        return ""
    if not named or len(named) > LONGEST_CHANNEL or not named.isprintable() or "+" in named or "#" in named:
        raise InvalidInput("请填写通道，最长 80 个字符，不含 + 和 #。", field="channel")
    others = select(Meter.code).where(Meter.carrier_id == bearer.id, Meter.channel == named)
    if carried is not None:
        others = others.where(Meter.id != carried.id)
    if taken := session.scalar(others):
        raise InvalidInput("通道 %(channel)s 已是电表 %(code)s。", field="channel", channel=named, code=taken)
    return named


def _insist_on_key(session: Session, meter: Meter) -> None:
    if meter.dialect is not Dialect.NATIVE:
        raise InvalidInput("只有原生方言能签名。", field="signed_only")
    if session.scalar(select(DeviceKey.id).where(DeviceKey.meter_id == meter.id).limit(1)) is None:
        raise InvalidInput("请先登记它的公钥：没有公钥时，它的读数都会被拒绝。", field="signed_only")


def _with_connection(session: Session, meter_id: int) -> Meter:
    meter = _locked(session, meter_id)
    if meter.carrier is not None:
        raise Conflict("它经 %(code)s 通信，没有自己的密码。", code=meter.carrier.code)
    return meter


def _switch(session: Session, meter: Meter, *, on: bool, by: int, at: datetime) -> None:
    if meter.active is on:
        return
    if not on and _carries(session, meter):
        raise Conflict("有其他电表经 %(code)s 通信，请先停用或改接它们。", code=meter.code)
    meter.active = on
    _log(session, meter, "activated_meter" if on else "retired_meter", by=by, at=at)
    session.flush()


def _carries(session: Session, meter: Meter) -> bool:
    carried = select(Meter.id).where(Meter.carrier_id == meter.id, Meter.active).limit(1)
    return session.scalar(carried) is not None


def _locked(session: Session, meter_id: int) -> Meter:
    meter = session.get(Meter, meter_id, with_for_update=True)
    if meter is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return meter


def _log(session: Session, meter: Meter, deed: str, *, by: int, at: datetime, **detail: Any) -> None:
    audit.record(session, at=at, by=by, deed=deed, subject="meter", subject_id=meter.id, **detail)
