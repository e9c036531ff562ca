#!/usr/bin/env python3
"""Verify the dossier of a claim, offline, with Python 3.11 or later and the library ``cryptography``.

    python verify.py DOSSIER.zip [--key HEX] [--processes N]

``--key`` is the public key of the platform's operator software (64 hexadecimal digits), as you had it from somebody you
trust; without it the dossier's own is used, and its fingerprint printed for you to compare. Take this file, too,
from somebody you trust. What is not signed is neither read further nor run; nothing is ever unpacked to the disk.

Ends with 0 where everything holds, 1 at the first thing that does not, 2 where the file cannot be read.
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
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from types import ModuleType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "pilotshare-dossier-1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SOURCES = "sources/"
MOST_MANIFEST, MOST_MEMBERS, MOST_SOURCE = 64 << 20, 200_000, 1 << 20
LONGEST_LINE = 256 << 20
PIECE = 1 << 20


class Wrong(Exception):
    """Something does not hold; said as a person reads it."""


def signed(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- the archive and its manifest ---------------------------------------------------------------------------------


def manifest_of(archive: zipfile.ZipFile, trusted: bytes | None) -> tuple[dict[str, Any], bytes]:
    """The manifest, once it is signed, and the key that signed it."""
    told = _small(archive, MANIFEST, MOST_MANIFEST)
    signature = json.loads(_small(archive, SIGNATURE, 4096))
    key = bytes.fromhex(signature["public_key"])
    if trusted is not None and key != trusted:
        raise Wrong(f"{SIGNATURE}: the key\n  expected  {trusted.hex()}\n  found     {key.hex()}")
    if not signed(key, bytes.fromhex(signature["signature"]), told):
        raise Wrong(
            f"{SIGNATURE}: the signature of {MANIFEST}\n  expected  one of key {key.hex()}\n  found     another"
        )
    manifest = json.loads(told)
    if manifest.get("format") != FORMAT:
        raise Wrong(f"{MANIFEST}: format\n  expected  {FORMAT}\n  found     {manifest.get('format')}")
    return manifest, key


def _small(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as source:
        found = source.read(most + 1)
    if len(found) > most:
        raise Wrong(f"{name}: its size\n  expected  at most {most} bytes\n  found     more")
    return found


def insist_listed(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
    """The archive holds what the manifest lists, no more and no less, and nothing twice."""
    names = [one.filename for one in archive.infolist()]
    if len(names) > MOST_MEMBERS:
        raise Wrong(f"the archive: files\n  expected  at most {MOST_MEMBERS}\n  found     {len(names)}")
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


# --- what the rules check -----------------------------------------------------------------------------------------


def json_lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(name) as source:
        for line in io.BufferedReader(source, PIECE):  # type: ignore[type-var]
            yield json.loads(line)


def _start(path: str, sources: dict[str, bytes], seals: dict[int, tuple[int, str]]) -> None:
    """What a process needs to check portions."""
    global _path, _seals
    _path, _seals = path, seals
    gc.disable()  # readings hold no circles, and looking for some while they pile up takes longer than all else
    if Carried.sources != sources:
        carry(sources)


_path = ""
_seals: dict[int, tuple[int, str]] = {}


def check_portion(number: str) -> tuple[Exception | None, int, int, int, list[tuple[int, Any]]]:
    """One portion: readings to sessions to charges. Returns what was wrong, three counts, and the charges by id."""
    from billing.rules.dossier.cases import price_case
    from billing.rules.dossier.readings import prove_portion
    from billing.rules.dossier.wrong import DoesNotHold

    cases_name, readings_name = f"cases/{number}.jsonl", f"readings/{number}.gz"
    try:
        with zipfile.ZipFile(_path) as archive:
            cases = list(json_lines(archive, cases_name))
            sessions = {one["id"]: one for case in cases for one in case["sessions"]}
            with archive.open(readings_name) as packed, gzip.open(packed) as source:
                proved = prove_portion(readings_name, io.BufferedReader(source, PIECE), sessions, _seals)
            charges = [found for case in cases for found in price_case(cases_name, case, proved)]
    except DoesNotHold as wrong:
        return wrong, 0, 0, 0, []
    except (ValueError, KeyError, TypeError, ArithmeticError, LookupError, EOFError, zlib.error, OSError) as error:
        return Wrong(f"{readings_name} or {cases_name}: cannot be read\n  found     {error!r}"), 0, 0, 0, []
    return None, proved.readings, proved.by_digest, len(proved.sessions), charges


def check_portions(
    path: str, numbers: list[str], seals: dict[int, tuple[int, str]], processes: int, say: Say
) -> tuple[dict[int, Any], dict[str, int]]:
    """All portions, several at once. The first that does not hold, in their order, is what is said."""
    charged: dict[int, Any] = {}
    counts = {"readings": 0, "by_digest": 0, "sessions": 0}
    _start(path, Carried.sources, seals)

    def take(results: Iterable[Any]) -> None:
        for place, (wrong, readings, by_digest, sessions, charges) in enumerate(results, start=1):
            if wrong is not None:
                raise Wrong(str(wrong))
            counts["readings"] += readings
            counts["by_digest"] += by_digest
            counts["sessions"] += sessions
            charged.update(charges)
            say.progress(place, len(numbers), f"{counts['readings']} readings")

    if processes < 2 or len(numbers) < 2:
        take(map(check_portion, numbers))
    else:
        with multiprocessing.Pool(processes, _start, (path, Carried.sources, seals)) as pool:
            take(pool.imap(check_portion, numbers))
    return charged, counts


class Say:
    """Prints each check with what it found, and how far a long one is."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._live = sys.stderr.isatty()

    def held(self, what: str, found: object) -> None:
        seconds = time.perf_counter() - self._began
        print(f"holds  {what}: {found}  [{seconds:.1f} s]", flush=True)

    def progress(self, done: int, total: int, found: str) -> None:
        if self._live and total:
            bar = "#" * (30 * done // total)
            print(f"\r  [{bar:<30}] {100 * done // total:3} %  {found}", end="\r", file=sys.stderr, flush=True)


def verify(path: str, trusted: bytes | None, processes: int) -> None:
    """Errors: ``Wrong`` for the first thing that does not hold."""
    say = Say()
    with zipfile.ZipFile(path) as archive:
        manifest, key = manifest_of(archive, trusted)
        insist_listed(archive, manifest)
        given = "the key that was given" if trusted is not None else "THE DOSSIER'S OWN KEY, compare its fingerprint"
        say.held("signature of the manifest", f"{given}, fingerprint {fingerprint(key)}")
        total, done = sum(one["bytes"] for one in manifest["files"].values()), 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            say.progress(done, total, "hashed")

        insist_hashes(path, manifest, told)
        say.held("files as signed", f"{len(manifest['files'])} files, {total} bytes")
        sources = sources_of(archive, manifest)
        carry(sources)
        digest = sha256(b"".join(name.encode() + b"\0" + sha256(one).digest() for name, one in sorted(sources.items())))
        say.held("rules and policies carried", f"{len(sources)} files, together {digest.hexdigest()[:16]}")
        _follow(archive, path, manifest, key, processes, say)


def _follow(
    archive: zipfile.ZipFile, path: str, manifest: dict[str, Any], key: bytes, processes: int, say: Say
) -> None:
    from billing.policies import policy_by_number
    from billing.rules.dossier.judgement import assessment_told, insist_same, policy_told
    from billing.rules.dossier.lines import counted_of, follow
    from billing.rules.dossier.seals import chained
    from billing.rules.scenario import scenario_facts
    from billing.rules.subsidy import assess

    def told(name: str) -> Any:
        with archive.open(name) as source:
            return json.load(source)

    claim = told("claim.json")
    policy = policy_by_number(claim["policy"])
    insist_same("policy.json", policy_told(policy), told("policy.json"))
    say.held("policy", f"{policy.number}, {len(policy.values)} numbers, {len(policy.settings)} readings of it")
    seals = chained("seals.jsonl", json_lines(archive, "seals.jsonl"), key=key, signed=signed)
    say.held("seals", f"{len(seals)}, chained and signed")
    numbers = [name[6:-6] for name in manifest["files"] if name.startswith("cases/")]
    charged, counts = check_portions(path, numbers, seals, processes, say)
    by_digest = f", {counts['by_digest']} of them by their message's digest only" if counts["by_digest"] else ""
    say.held("raw messages → readings → seals", f"{counts['readings']} readings{by_digest}")
    say.held("readings → sessions", f"{counts['sessions']} derived again")
    say.held("sessions → charges", f"{len(charged)} priced again")
    scenario = told("facts.json")
    facts = scenario_facts(scenario)
    assessment = assess(facts, policy.settings_with(scenario["settings"]), policy)
    year = next((one for one in assessment.revenue_years if one.year == claim["year"]), None)
    tally = follow("lines.jsonl", json_lines(archive, "lines.jsonl"), facts, charged, counted_of(year))
    say.held("charges → invoice lines → facts", f"{sum(tally.lines.values())} lines count, {tally.others} others")
    found = assessment_told(assessment)
    insist_same("assessment.json", found, told("assessment.json"))
    say.held("facts → assessment", f"{len(found['trace'])} steps")
    grants = {one.removeprefix(f"{claim['year']} "): grant for one, grant in found["grants"].items()
              if one.startswith(f"{claim['year']} ")}  # fmt: skip
    insist_same("claim.json", grants, claim["grants"])
    say.held("assessment → claim", f"{claim['platform']}, {claim['year']}")
    _summary(claim, tally, counts)


WORDS = {
    "metered": "metered, down to sealed readings",
    "not_again": "metered, but not derived again here (late readings, or an earlier rule)",
    "accepted": "as a person accepted what late readings make of it",
    "entered": "use entered by a person",
    "booked": "by the reserved time, no readings",
    "service": "commissioned work by its quote, no readings",
    "fee": "fees for missed slots, no readings",
    "credit": "credit notes",
}


def _summary(claim: dict[str, Any], tally: Any, counts: dict[str, int]) -> None:
    print()
    for programme, grant in claim["grants"].items():
        amount = grant["payable"] if grant["estimate"] is None else f"{grant['estimate']} (estimate, nothing payable)"
        print(f"{programme} {claim['year']}  {amount} yuan")
    print(f"  rests on {sum(tally.lines.values())} lines and {counts['readings']} readings:")
    for basis, lines in sorted(tally.lines.items()):
        print(f"  {tally.amounts[basis]!s:>16} yuan  {lines:>7} lines  {WORDS[basis]}")
    if tally.corrected:
        print(f"  {tally.corrected} of them were corrected or reduced by a person")
    print("\nEverything holds. 全部相符。")


def fingerprint(key: bytes) -> str:
    """The first 16 bytes of the key's SHA-256, in groups that can be read out."""
    digest = sha256(key).hexdigest()[:32]
    return " ".join(digest[at : at + 4] for at in range(0, 32, 4))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dossier")
    parser.add_argument("--key", help="the public key that you trust, in hexadecimal")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    try:
        verify(asked.dossier, bytes.fromhex(asked.key) if asked.key else None, asked.processes)
    except Wrong as wrong:
        print(f"\ndoes not hold  {wrong}", flush=True)
        return 1
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, NotImplementedError, EOFError) as error:
        print(f"\ncannot be read  {error!r}", flush=True)
        return 2
    except Exception as error:
        if type(error).__name__ != "DoesNotHold":
            raise
        print(f"\ndoes not hold  {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
