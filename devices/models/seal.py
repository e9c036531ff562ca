"""What proves that readings have not changed since."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.columns import UtcTime, long_key
from app.kernel.db import Model


class Seal(Model):
    """The signed root of a Merkle tree over the readings of some batches, chained to the seal before.

    Source: devices/rules/merkle.py for the hashing; devices/sealing.py for what is signed.
    """

    __tablename__ = "seal"

    id: Mapped[int] = long_key()
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("seal.id"), unique=True)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    leaf_count: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime] = mapped_column(UtcTime)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
