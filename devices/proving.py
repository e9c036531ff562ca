"""Prove one reading: its place in the tree of its seal, with everything that a stranger needs to check it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text, tuple_
from sqlalchemy.orm import Session

from devices.models import ReadingBatch, Seal, SealedBlock
from devices.rules import merkle
from devices.rules.leaf import READING_FORMAT, Leaf, leaf_of, message_digest, microseconds
from devices.sealing import BLOCK, hash_of

PROOF_FORMAT = "pilotshare-proof-1"
READING = text(
    """
    SELECT reading.*, meter.code, raw_message.topic, raw_message.payload
    FROM reading
    JOIN meter ON meter.id = reading.meter_id
    LEFT JOIN raw_message ON raw_message.id = reading.message_id AND raw_message.received_at = reading.received_at
    WHERE reading.meter_id = CAST(:meter AS int) AND taken_at = :taken AND boot = :boot AND seq = :seq
      AND content_hash = :content
    """
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A reading as it is now. ``seal`` is empty while it was not sealed.

    ``index`` and ``steps`` are empty where the seal has no such reading: then it, or its message, was changed.
    """

    leaf: Leaf
    taken_at: datetime
    received_at: datetime
    message_id: int
    topic: str
    payload: bytes
    seal: Seal | None
    index: int | None = None
    steps: tuple[bytes, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether leaf and path lead to the root that was signed."""
        if self.seal is None or self.index is None:
            return False
        found = merkle.leaf_hash(leaf_of(self.leaf))
        size = self.seal.leaf_count
        return merkle.root_from(found, index=self.index, size=size, steps=self.steps) == self.seal.root


def prove(
    session: Session, *, meter_id: int, taken_at: datetime, boot: int, seq: int, content_hash: bytes
) -> Proof | None:
    """The proof of one reading, or ``None`` where there is no such reading. Reads three blocks of hashes at most."""
    told = {"meter": meter_id, "taken": taken_at, "boot": boot, "seq": seq, "content": content_hash}
    row = session.execute(READING, told).first()
    if row is None:
        return None
    leaf = _leaf(row)
    seal = session.scalar(
        select(Seal).join(ReadingBatch, ReadingBatch.seal_id == Seal.id).where(ReadingBatch.id == row.batch_id)
    )
    index, steps = _place(session, seal, row, merkle.leaf_hash(leaf_of(leaf))) if seal else (None, ())
    return Proof(
        leaf,
        row.taken_at,
        row.received_at,
        row.message_id,
        row.topic or "",
        bytes(row.payload or b""),
        seal,
        index,
        steps,
    )


def as_json(proof: Proof, seal: Seal) -> dict[str, Any]:
    """What is handed out of a reading in ``seal``: whole numbers, text, and bytes in hexadecimal or base64."""
    return {
        "format": PROOF_FORMAT,
        "leaf": {"format": READING_FORMAT, **proof.leaf._asdict()},
        "index": proof.index,
        "path": [step.hex() for step in proof.steps],
        "seal": seal_as_json(seal),
        "message": {"topic": proof.topic, "payload_base64": base64.b64encode(proof.payload).decode()},
    }


def seal_as_json(seal: Seal) -> dict[str, Any]:
    return {
        "id": seal.id,
        "previous_hash": seal.previous_hash.hex(),
        "leaf_count": seal.leaf_count,
        "root": seal.root.hex(),
        "sealed_us": microseconds(seal.sealed_at),
        "signature": seal.signature.hex(),
        "public_key": seal.public_key.hex(),
        "hash": hash_of(seal).hex(),
    }


def _leaf(row: Row[Any]) -> Leaf:
    return Leaf(
        row.code, row.boot, row.seq, microseconds(row.taken_at), row.power_mw, row.energy_mwh, row.running,
        row._mapping["count"], microseconds(row.received_at), row.key_id, row.backfill,
        "" if row.topic is None else message_digest(row.topic, bytes(row.payload)),
    )  # fmt: skip


def _place(session: Session, seal: Seal, row: Row[Any], found: bytes) -> tuple[int | None, tuple[bytes, ...]]:
    """Its index and path. A message begins in one block and may end in the next."""
    here = tuple_(SealedBlock.batch_id, SealedBlock.message_id) <= (row.batch_id, row.message_id)
    blocks = session.execute(
        select(SealedBlock.first_leaf, SealedBlock.hashes)
        .where(SealedBlock.seal_id == seal.id, here)
        .order_by(SealedBlock.first_leaf.desc())
        .limit(3)
    ).all()
    for first, packed in blocks:
        hashes = merkle.split(packed)
        if found in hashes:
            roots = session.scalars(
                select(SealedBlock.root).where(SealedBlock.seal_id == seal.id).order_by(SealedBlock.first_leaf)
            ).all()
            place = hashes.index(found)
            return first + place, (*merkle.path(hashes, place), *merkle.path(roots, first // BLOCK))
    return None, ()
