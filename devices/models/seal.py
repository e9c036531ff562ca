"""What proves that readings have not changed since."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.columns import UtcTime, long_key
from app.kernel.db import Model


class Seal(Model):
    """The signed root of a Merkle tree over the readings of some batches, chained to the seal before.

    Source: devices/rules/merkle.py for the hashing; devices/rules/leaf.py for what is hashed and signed.
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


class SealedBlock(Model):
    """The hashes of 4096 consecutive leaves of a seal, one behind the other, fewer in its last block.

    They prove nothing by themselves: they make proofs short work, and tell which reading is not what was sealed.
    ``root`` is the block's; the batch and message are those of its first leaf.
    """

    __tablename__ = "sealed_block"

    seal_id: Mapped[int] = mapped_column(ForeignKey("seal.id", deferrable=True, initially="DEFERRED"), primary_key=True)
    first_leaf: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    batch_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)
