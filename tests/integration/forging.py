"""Dossiers that somebody changed: member by member, with or without a manifest that fits, signed by whom one likes."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from billing.policies import policy_by_number
from billing.rules.dossier.judgement import assessment_told
from billing.rules.dossier.portion import Reader, packed
from billing.rules.dossier.tables import csv_of, tables_of
from billing.rules.scenario import scenario_facts
from billing.rules.subsidy import assess
from devices.rules.leaf import EPOCH, statement_of
from devices.rules.sealed import Block, SealPart

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
READINGS, CASES = "readings/000001.gz", "cases/000001.jsonl"
FACTS, DOCUMENTS = "facts.json", "documents.jsonl"
Members = dict[str, bytes]


def members_of(dossier: Path) -> Members:
    with zipfile.ZipFile(dossier) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written_to(file: Path, members: Members) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def hashed_again(members: Members) -> Members:
    """With a manifest that fits the files, under the signature of the old one."""
    manifest = json.loads(members[MANIFEST])
    manifest["files"] = {
        name: {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in members.items()
        if name not in (MANIFEST, SIGNATURE)
    }
    return {**members, MANIFEST: json.dumps(manifest).encode()}


def signed_again(members: Members, key: bytes) -> Members:
    """With a manifest that fits, signed by this key."""
    fitting = hashed_again(members)
    return {**fitting, **signed(fitting[MANIFEST], key)}


def signed(manifest: bytes, key: bytes) -> Members:
    """The signature of a manifest by this key."""
    signer = Ed25519PrivateKey.from_private_bytes(key)
    signature = {"public_key": signer.public_key().public_bytes_raw().hex(), "signature": signer.sign(manifest).hex()}
    return {SIGNATURE: json.dumps(signature).encode()}


def with_json(members: Members, name: str, change: Callable[[Any], object]) -> Members:
    told = json.loads(members[name])
    change(told)
    return {**members, name: json.dumps(told, ensure_ascii=False).encode()}


def with_facts(members: Members, change: Callable[[Any], object]) -> Members:
    """The facts and their documents as one scenario, changed in place."""
    scenario = json.loads(members[FACTS]) | {"invoices": told_in(members, DOCUMENTS)}
    change(scenario)
    invoices = scenario.pop("invoices")
    changed = {**members, FACTS: json.dumps(scenario, ensure_ascii=False).encode()}
    return with_lines(changed, DOCUMENTS, lambda told: told.__setitem__(slice(None), invoices))


def with_lines(members: Members, name: str, change: Callable[[list[Any]], object]) -> Members:
    """The objects of a file of JSON lines, changed in place."""
    told = [json.loads(line) for line in members[name].splitlines()]
    change(told)
    return {**members, name: b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in told)}


def with_parts(members: Members, change: Callable[[list[SealPart]], list[SealPart]], number: int = 1) -> Members:
    """The seals of a portion of readings, changed."""
    name = f"readings/{number:06d}.gz"
    reader = Reader(name, io.BytesIO(gzip.decompress(members[name])))
    parts = change(list(reader.parts()))
    return {**members, name: gzip.compress(b"".join(packed(reader.spans, parts)))}


def with_block(members: Members, change: Callable[[Block], Block]) -> Members:
    """The first block of the second seal, changed."""

    def changed(parts: list[SealPart]) -> list[SealPart]:
        first, second, *rest = parts
        return [first, replace(second, blocks=[change(second.blocks[0]), *second.blocks[1:]]), *rest]

    return with_parts(members, changed)


def judged_again(members: Members) -> Members:
    """With the assessment, the grants and the tables that follow from the facts, lines and cases as they are now."""
    scenario, claim = json.loads(members[FACTS]), json.loads(members["claim.json"])
    scenario["invoices"] = told_in(members, DOCUMENTS)
    policy = policy_by_number(claim["policy"])
    assessed = assessment_told(assess(scenario_facts(scenario), policy.settings_with(scenario["settings"]), policy))
    begins = f"{claim['year']} "
    claim["grants"] = {
        key.removeprefix(begins): one for key, one in assessed["grants"].items() if key.startswith(begins)
    }  # fmt: skip
    tables = tables_of(*(partial(told_in, members, name) for name in ("lines.jsonl", CASES, DOCUMENTS)))
    return {
        **members,
        "assessment.json": json.dumps(assessed).encode(),
        "claim.json": json.dumps(claim).encode(),
        **{f"tables/{one.name}.csv": b"".join(csv_of(one)) for one in tables},
    }


def told_in(members: Members, name: str) -> list[Any]:
    return [json.loads(line) for line in members[name].splitlines()]


def with_spans(members: Members, change: Callable[[list[Any]], object]) -> Members:
    """The spans of the first portion of readings, changed in place; its proofs stay."""
    reader = Reader(READINGS, io.BytesIO(gzip.decompress(members[READINGS])))
    parts, spans = list(reader.parts()), reader.spans
    change(spans)
    return {**members, READINGS: gzip.compress(b"".join(packed(spans, parts)))}


def sealed_again(members: Members, change: Callable[[list[Any]], object], key: bytes) -> Members:
    """The seals changed in place, and each signed again with this key."""
    signer = Ed25519PrivateKey.from_private_bytes(key)

    def sign(seals: list[Any]) -> None:
        change(seals)
        for seal in seals:
            statement = statement_of(
                previous_hash=bytes.fromhex(seal["previous_hash"]),
                leaf_count=seal["leaf_count"],
                root=bytes.fromhex(seal["root"]),
                sealed_at=EPOCH + timedelta(microseconds=seal["sealed_us"]),
            )
            seal["signature"] = signer.sign(statement).hex()

    return with_lines(members, "seals.jsonl", sign)
