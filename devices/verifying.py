"""Verify the seals: chain, signatures, and that every reading is what was sealed. What is not is named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from devices.explaining import explain
from devices.models import ReadingBatch, Seal, SealedBlock
from devices.rules import merkle
from devices.rules.finding import Finding
from devices.rules.leaf import NO_SEAL_BEFORE
from devices.sealing import blocks_of, hash_of, statement, within

STRAY = text(
    "SELECT meter.code, boot, seq, taken_at FROM reading LEFT JOIN meter ON meter.id = meter_id"
    " WHERE NOT EXISTS (SELECT FROM reading_batch WHERE reading_batch.id = reading.batch_id) LIMIT 20"
)


def public_key_of(key: bytes) -> bytes:
    """The public half of the key that ``seal_readings`` signs with."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


def verify_seals(
    session: Session,
    *,
    trusted: Collection[bytes],
    since: datetime | None = None,
    told: Callable[[int], object] = lambda _: None,
) -> list[Finding]:
    """Everything that does not hold in the seals made since then: nothing at all, if all is well.

    ``trusted`` are the public keys that may have signed; ``told`` is called with the number of readings that were
    just looked at. Reads every reading of these seals and hashes it again; memory of one block.
    """
    findings: list[Finding] = []
    wanted = select(Seal).order_by(Seal.id)
    if since is not None:
        wanted = wanted.where(Seal.sealed_at >= since)
    for number in session.scalars(wanted.with_only_columns(Seal.id)).all():
        seal = session.get_one(Seal, number)
        findings += verify_seal(session, seal, trusted=trusted)
        findings += _verify_readings(session, seal, told)
        session.expunge(seal)
    if since is None:
        findings += [_stray(row) for row in session.execute(STRAY)]
    return findings


def verify_seal(session: Session, seal: Seal, *, trusted: Collection[bytes]) -> list[Finding]:
    """What is wrong with the seal itself: its signature, or its place in the chain. Cheap: looks at no reading."""
    findings = []
    try:
        Ed25519PublicKey.from_public_bytes(seal.public_key).verify(seal.signature, statement(seal))
    except (InvalidSignature, ValueError):
        findings.append(Finding(seal.id, "封存 %(seal)s 的签名不符：它的根、条数或时间被改动过。"))
    if seal.public_key not in trusted:
        findings.append(Finding(seal.id, "封存 %(seal)s 不是用本站的密钥签的。"))
    previous = session.scalar(select(Seal).where(Seal.id < seal.id).order_by(Seal.id.desc()).limit(1))
    expected = (previous.id, hash_of(previous)) if previous else (None, NO_SEAL_BEFORE)
    if (seal.previous_id, seal.previous_hash) != expected:
        findings.append(Finding(seal.id, "封存 %(seal)s 与前一次封存接不上：其间的封存被删除或改动过。"))
    return findings


def readings_to_verify(session: Session, *, since: datetime | None = None) -> int:
    wanted = select(func.coalesce(func.sum(Seal.leaf_count), 0))
    return int(session.scalar(wanted if since is None else wanted.where(Seal.sealed_at >= since)) or 0)


def _verify_readings(session: Session, seal: Seal, told: Callable[[int], object]) -> list[Finding]:
    ids = session.scalars(
        select(ReadingBatch.id).where(ReadingBatch.seal_id == seal.id).order_by(ReadingBatch.id)
    ).all()
    batches = within(session, ids) if ids else None
    roots, count = [], 0
    for block in blocks_of(session, batches) if batches else ():
        hashes = merkle.split(block.hashes)
        roots.append(merkle.root(hashes))
        count += len(hashes)
        told(len(hashes))
    kept = list(_kept_roots(session, seal))
    findings = []
    if [root for root, _ in kept] != [root for _, root in kept] or merkle.root([root for root, _ in kept]) != seal.root:
        findings.append(Finding(seal.id, "封存 %(seal)s 留存的散列被改动过，被改动的读数可能无法逐条指出。"))
    if merkle.root(roots) == seal.root and count == seal.leaf_count:
        return findings
    found = explain(session, seal, batches)
    return [*findings, *(found or [Finding(seal.id, "封存 %(seal)s 的读数与它的根不符。")])]


def _kept_roots(session: Session, seal: Seal) -> Iterator[tuple[bytes, bytes]]:
    """Of each kept block the root that was noted and the one that its hashes have."""
    numbers = session.scalars(
        select(SealedBlock.first_leaf).where(SealedBlock.seal_id == seal.id).order_by(SealedBlock.first_leaf)
    ).all()
    for number in numbers:
        root, hashes = session.execute(
            select(SealedBlock.root, SealedBlock.hashes).where(
                SealedBlock.seal_id == seal.id, SealedBlock.first_leaf == number
            )
        ).one()
        yield root, merkle.root(merkle.split(hashes))


def _stray(row: Row[Any]) -> Finding:
    return Finding(
        None,
        "电表 %(meter)s 启动 %(boot)s 序号 %(seq)s（%(taken)s）的读数不属于任何批次，不是系统收下的。",
        {"meter": row.code, "boot": row.boot, "seq": row.seq, "taken": row.taken_at.astimezone(UTC).isoformat()},
    )
