"""Dossiers that somebody changed: member by member, with or without a manifest that fits, signed by whom one likes."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from billing.rules.dossier.portion import Reader, packed
from devices.rules.sealed import Block, SealPart

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
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
    signer = Ed25519PrivateKey.from_private_bytes(key)
    signature = {
        "public_key": signer.public_key().public_bytes_raw().hex(),
        "signature": signer.sign(fitting[MANIFEST]).hex(),
    }
    return {**fitting, SIGNATURE: json.dumps(signature).encode()}


def with_json(members: Members, name: str, change: Callable[[Any], object]) -> Members:
    told = json.loads(members[name])
    change(told)
    return {**members, name: json.dumps(told, ensure_ascii=False).encode()}


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
