"""Devices on the wire, what counts as use on them, and the keys that they sign with."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment
from app.kernel.columns import LINE, SHORT, UtcTime, primary_key, word
from app.kernel.db import Model
from devices.rules.evidence import Dialect
from devices.rules.power import FailSafe

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before every reading: the first profile of a meter holds for all that it ever said."""


class Meter(Model):
    """A device on the wire. ``shard`` is part of its topics; ``credential_version`` of its password.

    One of several that share a connection (a plug behind a bridge, a channel of a multi-channel switch)
    speaks through ``carrier_id``, which names it by ``channel``. ``interlocked`` ones switch their
    equipment's power, and ``fail_safe`` is what they do where they hear nothing.
    """

    __tablename__ = "meter"
    __table_args__ = (
        UniqueConstraint("carrier_id", "channel"),
        CheckConstraint("carrier_id IS NULL OR channel <> ''", name="a_carried_one_has_a_channel"),
    )

    id: Mapped[int] = primary_key()
    code: Mapped[str] = mapped_column(SHORT, unique=True)
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), index=True)
    dialect: Mapped[Dialect] = mapped_column(word(Dialect))
    shard: Mapped[int]
    credential_version: Mapped[int] = mapped_column(default=1)
    simulated: Mapped[bool] = mapped_column(default=False)
    carrier_id: Mapped[int | None] = mapped_column(ForeignKey("meter.id"))
    channel: Mapped[str] = mapped_column(SHORT, default="", server_default="")
    signed_only: Mapped[bool] = mapped_column(default=False, server_default="false")
    interlocked: Mapped[bool] = mapped_column(default=False, server_default="false")
    fail_safe: Mapped[FailSafe] = mapped_column(
        word(FailSafe), default=FailSafe.STAY, server_default=FailSafe.STAY.value
    )
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment] = relationship()
    carrier: Mapped[Meter | None] = relationship(remote_side=[id])
    profiles: Mapped[list[MeterProfile]] = relationship(order_by="MeterProfile.version")


class MeterProfile(Model):
    """What counts as use on one meter; a change is a new version. Watts and seconds.

    A session keeps the version that was valid when it began. Samples above ``spike_w`` are no power;
    a counter with ``counter_modulus_mwh`` rolls over there. ``lead_s`` and ``post_s`` are time that a
    run needs before and after it.
    """

    __tablename__ = "meter_profile"
    __table_args__ = (
        UniqueConstraint("meter_id", "version"),
        CheckConstraint("run_off_w <= run_on_w AND run_on_w > 0", name="hysteresis"),
        CheckConstraint("lead_s >= 0 AND post_s >= 0 AND counter_modulus_mwh > 0 AND spike_w > 0", name="limits"),
    )

    id: Mapped[int] = primary_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    version: Mapped[int]
    run_on_w: Mapped[int]
    run_off_w: Mapped[int]
    min_on_s: Mapped[int]
    min_off_s: Mapped[int]
    max_gap_s: Mapped[int]
    rated_w: Mapped[int]
    valid_from: Mapped[datetime] = mapped_column(UtcTime, default=BEGINNING, server_default=BEGINNING.isoformat())
    spike_w: Mapped[int | None]
    lead_s: Mapped[int] = mapped_column(default=0, server_default="0")
    post_s: Mapped[int] = mapped_column(default=0, server_default="0")
    counter_modulus_mwh: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(LINE, default="", server_default="")
    made_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class DeviceKey(Model):
    """A public Ed25519 key of a device: what it signs between ``valid_from`` and ``valid_until`` is believed."""

    __tablename__ = "device_key"
    __table_args__ = (
        UniqueConstraint("meter_id", "name"),
        CheckConstraint("length(public_key) = 32", name="ed25519"),
        CheckConstraint("valid_until > valid_from", name="valid"),
    )

    id: Mapped[int] = primary_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    name: Mapped[str] = mapped_column(SHORT)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    owner: Mapped[str] = mapped_column(LINE)
    valid_from: Mapped[datetime] = mapped_column(UtcTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcTime)
    registered_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    registered_at: Mapped[datetime] = mapped_column(UtcTime)
