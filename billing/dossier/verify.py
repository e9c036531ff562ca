#!/usr/bin/env python3
"""Verify the dossier of a claim, offline, with Python 3.11 or later and the library ``cryptography``.

    python verify.py DOSSIER.zip --key HEX [--rules HEX] [--seal HEX] [--strict] [--processes N]

``--key`` is the public key of the platform's operator software (64 hexadecimal digits), ``--rules`` the SHA-256 of the
published rules, ``--seal`` the hash of a seal that you noted earlier: each as you had it from somebody you trust.
Take this file, too, from somebody you trust. Without ``--key`` nothing is run: anybody can sign with a key of his own.
Nothing is unpacked to the disk: what may be told once only is noted in a temporary file, which SQLite removes.

Ends with 0 where everything holds, 1 at the first thing that does not (with ``--strict`` also where money rests on
statements only), 2 where the file cannot be read, 3 where it is signed by its own key and no other was given.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import multiprocessing
import os
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

try:
    import sqlite3

    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError as missing:
    print(f"cannot be read  {missing} (pip install cryptography)", file=sys.stderr)
    raise SystemExit(2) from missing

FORMAT = "pilotshare-dossier-3"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SOURCES = "sources/"
MOST_MANIFEST, MOST_SIGNATURE, MOST_MEMBERS, MOST_SOURCE = 64 << 20, 4096, 200_000, 1 << 20
LONGEST_LINE = 64 << 20
PIECE = 1 << 20
Seals = Mapping[int, tuple[int, str]]


class Wrong(Exception):
    """Something does not hold; said as a person reads it."""


def signed(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_json(name: str, content: bytes) -> Any:
    """What it says. Errors: ``Wrong`` where a key is there twice: others would read the other one."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            key = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise Wrong(f"{name}: {key}\n  expected  once\n  found     more than once")
        return found

    return json.loads(content, object_pairs_hook=once)


# --- the archive and its manifest ---------------------------------------------------------------------------------


def insist_plain(path: str, archive: zipfile.ZipFile) -> None:
    """Before anything is unpacked: nothing that grows without measure, and nothing before, behind or beside."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise Wrong(f"the archive: files\n  expected  at most {MOST_MEMBERS}\n  found     {len(members)}")
    with Path(path).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 22))
        ends = file.read()
    begins = min((one.header_offset for one in members), default=0)
    if begins or not ends.startswith(b"PK\5\6") or any(one.comment for one in members):
        raise Wrong("the archive: its bytes\n  expected  members only\n  found     others before, or a comment")
    sizes = {MANIFEST: MOST_MANIFEST, SIGNATURE: MOST_SIGNATURE}
    for one in members:
        if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or one.flag_bits & 1:
            found = f"method {one.compress_type}, flags {one.flag_bits}"
            raise Wrong(f"{one.filename}: how it is packed\n  expected  stored or deflated\n  found     {found}")
        if one.file_size > sizes.get(one.filename, one.file_size):
            raise Wrong(_too_large(one.filename, sizes[one.filename]))


def manifest_of(archive: zipfile.ZipFile, trusted: bytes | None) -> tuple[dict[str, Any], bytes]:
    """The manifest, once it is signed, and the key that signed it."""
    told = _small(archive, MANIFEST, MOST_MANIFEST)
    signature = read_json(SIGNATURE, _small(archive, SIGNATURE, MOST_SIGNATURE))
    key = bytes.fromhex(signature["public_key"])
    if trusted is not None and key != trusted:
        raise Wrong(f"{SIGNATURE}: the key\n  expected  {trusted.hex()}\n  found     {key.hex()}")
    if not signed(key, bytes.fromhex(signature["signature"]), told):
        raise Wrong(
            f"{SIGNATURE}: the signature of {MANIFEST}\n  expected  one of key {key.hex()}\n  found     another"
        )
    manifest = read_json(MANIFEST, told)
    if manifest.get("format") != FORMAT:
        raise Wrong(f"{MANIFEST}: format\n  expected  {FORMAT}\n  found     {manifest.get('format')}")
    return manifest, key


def _small(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as source:
        found = source.read(most + 1)
    if len(found) > most:
        raise Wrong(_too_large(name, most))
    return found


def _too_large(name: str, most: int) -> str:
    return f"{name}: its size\n  expected  at most {most} bytes\n  found     more"


def insist_listed(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
    """The archive holds what the manifest lists, no more and no less, and nothing twice."""
    names = [one.filename for one in archive.infolist()]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise Wrong(f"{twice[0]}: in the archive\n  expected  once\n  found     more than once")
    listed = {*manifest["files"], MANIFEST, SIGNATURE}
    for name in sorted(set(names) ^ listed):
        found = "in the archive only" if name in names else "in the manifest only"
        raise Wrong(f"{name}: whether it belongs here\n  expected  in archive and manifest\n  found     {found}")


def insist_hashes(path: str, manifest: dict[str, Any], told: Callable[[int], None]) -> None:
    """Every file is the one that the manifest was signed for. Read in pieces; what is too long is not read on."""
    with zipfile.ZipFile(path) as archive:
        for name, listed in manifest["files"].items():
            digest, size = sha256(), 0
            with archive.open(name) as source:
                while piece := source.read(PIECE):
                    digest.update(piece)
                    size += len(piece)
                    told(len(piece))
                    if size > listed["bytes"]:
                        break
            found = f"{digest.hexdigest()} ({size} bytes)"
            expected = f"{listed['sha256']} ({listed['bytes']} bytes)"
            if found != expected:
                raise Wrong(f"{name}: its SHA-256 as in {MANIFEST}\n  expected  {expected}\n  found     {found}")


# --- the rules, run from the dossier ------------------------------------------------------------------------------


class Carried(importlib.abc.PathEntryFinder):
    """Imports modules from sources that the dossier carries, whose hashes were checked."""

    sources: dict[str, bytes] = {}

    def __init__(self, entry: str) -> None:
        if not entry.startswith("dossier:"):
            raise ImportError(entry)
        self._folder = entry.removeprefix("dossier:")

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        name = self._folder + fullname.rpartition(".")[2]
        for file, folder in ((f"{name}/__init__.py", f"dossier:{name}/"), (f"{name}.py", None)):
            if file in self.sources:
                spec = importlib.util.spec_from_loader(fullname, Source(file), is_package=folder is not None)
                if spec is not None and folder is not None:
                    spec.submodule_search_locations = [folder]
                return spec
        return None

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        for file in sorted(self.sources):
            rest = file.removeprefix(self._folder)
            if file.startswith(self._folder) and "/" not in rest and rest != "__init__.py":
                yield prefix + rest.removesuffix(".py"), False


class Source(importlib.abc.Loader):
    def __init__(self, file: str) -> None:
        self._file = file

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(Carried.sources[self._file], f"dossier:{self._file}", "exec"), module.__dict__)  # noqa: S102


def carry(sources: dict[str, bytes]) -> None:
    """From now on the rules are imported from these sources, before anything that is installed."""
    Carried.sources = sources
    sys.path_hooks.insert(0, Carried)
    sys.path.insert(0, "dossier:")


def sources_of(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> dict[str, bytes]:
    found = {}
    for name, listed in manifest["files"].items():
        if name.startswith(SOURCES):
            content = _small(archive, name, MOST_SOURCE)
            if sha256(content).hexdigest() != listed["sha256"]:
                raise Wrong(f"{name}: its SHA-256\n  expected  {listed['sha256']}\n  found     another")
            found[name.removeprefix(SOURCES)] = content
    return found


def rules_digest(sources: dict[str, bytes]) -> str:
    """One SHA-256 of all rules and policies: names and contents, in the order of the names."""
    return sha256(
        b"".join(name.encode() + b"\0" + sha256(one).digest() for name, one in sorted(sources.items()))
    ).hexdigest()


# --- what the rules check -----------------------------------------------------------------------------------------


def json_lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(name) as source, io.BufferedReader(source, PIECE) as lines:  # type: ignore[type-var]
        while line := lines.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise Wrong(_too_large(f"{name}: a line", LONGEST_LINE))
            yield read_json(name, line)


def _start(path: str, sources: dict[str, bytes], seals: Seals) -> None:
    """What a process needs to check portions."""
    global _path, _seals
    _path, _seals = path, seals
    gc.disable()  # readings hold no circles, and looking for some while they pile up takes longer than all else
    if Carried.sources != sources:
        carry(sources)


_path = ""
_seals: Seals = {}


def check_portion(number: str) -> tuple[Exception | None, Any]:
    """One portion: readings to sessions to charges. Returns what was wrong, or what it tells."""
    from billing.rules.dossier.checking import check_portion
    from billing.rules.dossier.wrong import DoesNotHold

    cases_name, readings_name = f"cases/{number}.jsonl", f"readings/{number}.gz"
    try:
        with zipfile.ZipFile(_path) as archive:
            cases = list(json_lines(archive, cases_name))
            with archive.open(readings_name) as packed, gzip.open(packed) as source:
                return None, check_portion(number, cases, io.BufferedReader(source, PIECE), _seals)
    except (DoesNotHold, Wrong) as wrong:
        return wrong, None
    except Exception as error:
        return Wrong(f"{readings_name} or {cases_name}: cannot be read\n  found     {error!r}"), None


class Register:
    """What was told so far, by kind and key, in a file of SQLite that nobody else sees: memory stays flat."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE told (kind, key TEXT, told, PRIMARY KEY (kind, key)) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, kind: str, key: str, told: str) -> str | None:
        """Keep what is told of a key. Returns what was told of it before, which then stays."""
        added = self._db.execute("INSERT OR IGNORE INTO told VALUES (?, ?, ?)", (kind, key, told)).rowcount
        return None if added else self.get(kind, key)

    def get(self, kind: str, key: str) -> str | None:
        """What was told of a key."""
        found = self._db.execute("SELECT told FROM told WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if found is None else str(found[0])

    def in_order(self, kind: str) -> Iterator[tuple[str, str]]:
        """All keys of a kind, ascending, and what was told of them."""
        return iter(self._db.execute("SELECT key, told FROM told WHERE kind = ? ORDER BY key", (kind,)))


def check_portions(path: str, numbers: Sequence[str], seals: Seals, processes: int, say: Say) -> Any:
    """All portions, several at once. The first that does not hold, in their order, is what is said."""
    from billing.rules.dossier.once import Whole

    whole = Whole(Register())
    _start(path, Carried.sources, seals)

    def take(results: Iterable[Any]) -> None:
        for place, (number, (wrong, portion)) in enumerate(zip(numbers, results, strict=True), start=1):
            if wrong is not None:
                raise Wrong(str(wrong))
            whole.add(f"cases/{number}.jsonl", portion)
            say.progress(place, len(numbers), f"{whole.readings} readings")

    if processes < 2 or len(numbers) < 2:
        take(map(check_portion, numbers))
    else:
        with multiprocessing.Pool(processes, _start, (path, Carried.sources, seals)) as pool:
            take(pool.imap(check_portion, numbers))
    whole.close()
    return whole


def plain(told: object) -> str:
    """What can be printed of it: nothing in a dossier moves the cursor of who reads."""
    return "".join(one if one.isprintable() else "?" for one in str(told))


class Say:
    """Prints each check with what it found, and how far a long one is."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._live = sys.stderr.isatty()

    def held(self, what: str, found: object) -> None:
        seconds = time.perf_counter() - self._began
        print(f"holds  {what}: {plain(found)}  [{seconds:.1f} s]", flush=True)

    def progress(self, done: int, total: int, found: str) -> None:
        if self._live and total:
            bar = "#" * (30 * done // total)
            print(f"\r  [{bar:<30}] {100 * done // total:3} %  {found}", end="\r", file=sys.stderr, flush=True)


def verify(asked: argparse.Namespace) -> int:
    """The exit status. Errors: ``Wrong`` for the first thing that does not hold."""
    path, say = asked.dossier, Say()
    trusted = None if asked.key is None else bytes.fromhex(asked.key)
    with zipfile.ZipFile(path) as archive:
        insist_plain(path, archive)
        manifest, key = manifest_of(archive, trusted)
        insist_listed(archive, manifest)
        given = "ITS OWN KEY, which anybody can make" if trusted is None else "the key that was given"
        say.held("signature of the manifest", f"{given}, fingerprint {fingerprint(key)}")
        total, done = sum(one["bytes"] for one in manifest["files"].values()), 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            say.progress(done, total, "hashed")

        insist_hashes(path, manifest, told)
        say.held("files as signed", f"{len(manifest['files'])} files, {total} bytes")
        if trusted is None:
            print("\nNothing is verified: it is signed by its own key only. 只由它自己的密钥签名，未核对。")
            print("Give the key that you trust with --key, and the rest is checked.")
            return 3
        sources = sources_of(archive, manifest)
        digest = rules_digest(sources)
        if asked.rules is not None and asked.rules.lower() != digest:
            raise Wrong(f"{SOURCES}: the rules\n  expected  {asked.rules}\n  found     {digest}")
        carry(sources)
        say.held("rules and policies carried", f"{len(sources)} files, together {digest}")
        from billing.rules.dossier.following import Dossier, follow_dossier

        dossier = Dossier(
            manifest=manifest,
            json=lambda name: read_json(name, archive.read(name)),
            lines=lambda name: json_lines(archive, name),
            portions=lambda numbers, seals: check_portions(path, numbers, seals, asked.processes, say),
            held=say.held,
        )
        said, stated = follow_dossier(dossier, key=key, signed=signed, seal=asked.seal)
    for line in said:
        print(plain(line))
    if asked.strict and stated:
        print("\ndoes not hold  --strict: money rests on statements only")
        return 1
    print("\nEverything holds. 全部相符。")
    return 0


def fingerprint(key: bytes) -> str:
    """The first 16 bytes of the key's SHA-256, in groups that can be read out."""
    digest = sha256(key).hexdigest()[:32]
    return " ".join(digest[at : at + 4] for at in range(0, 32, 4))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dossier")
    parser.add_argument("--key", help="the public key that you trust, in hexadecimal")
    parser.add_argument("--rules", help="the SHA-256 of the rules that you trust, in hexadecimal")
    parser.add_argument("--seal", help="the hash of a seal that you noted, in hexadecimal")
    parser.add_argument("--strict", action="store_true", help="status 1 where money rests on statements only")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    try:
        return verify(parser.parse_args())
    except Exception as error:
        held = not isinstance(error, Wrong) and type(error).__name__ != "DoesNotHold"
        told = f"cannot be read  {error!r}" if held else f"does not hold  {error}"
        print("", *map(plain, told.split("\n")), sep="\n", flush=True)
        return 2 if held else 1


if __name__ == "__main__":
    sys.exit(main())
