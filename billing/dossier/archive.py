"""The file itself: members of a zip, each hashed as it goes in, then the manifest of all of them and its signature."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.kernel import clock
from billing.dossier.verify import FORMAT, MANIFEST, SIGNATURE

PIECE = 1 << 20


class Archive:
    """Writes a dossier to ``path``; nothing is in memory but a piece of a member. Close it to sign it."""

    def __init__(self, path: Path, *, at: datetime, key: bytes, about: dict[str, Any]) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._date = at.astimezone(clock.FACILITY_ZONE).timetuple()[:6]
        self._signer = Ed25519PrivateKey.from_private_bytes(key)
        self._manifest: dict[str, Any] = {"format": FORMAT, **about, "files": {}}

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            told = json.dumps(self._manifest, ensure_ascii=False, indent=1).encode()
            signature = {
                "public_key": self._signer.public_key().public_bytes_raw().hex(),
                "signature": self._signer.sign(told).hex(),
            }
            self._write(MANIFEST, [told])
            self._write(SIGNATURE, [json.dumps(signature).encode()])
        self._zip.close()

    def add(self, name: str, content: bytes) -> None:
        self._take(name, [content])

    def add_file(self, name: str, *files: Path, packed: bool = False) -> None:
        """One file of these, one behind the other. ``packed`` is stored as it is: it would not get any smaller."""
        self._take(name, chain.from_iterable(map(_pieces, files)), stored=packed)

    def _take(self, name: str, pieces: Iterable[bytes], *, stored: bool = False) -> None:
        digest, size = self._write(name, pieces, stored=stored)
        self._manifest["files"][name] = {"sha256": digest, "bytes": size}

    def _write(self, name: str, pieces: Iterable[bytes], *, stored: bool = False) -> tuple[str, int]:
        entry = zipfile.ZipInfo(name, date_time=self._date)
        entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        digest, size = sha256(), 0
        with self._zip.open(entry, "w", force_zip64=True) as out:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                out.write(piece)
        return digest.hexdigest(), size


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(PIECE):
            yield piece
