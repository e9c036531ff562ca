"""A day of readings that somebody uploaded to look at: a file of the installation's, theirs alone, for some hours.

It goes to no table. It is named by its content, so that two windows with two days do not mix them up.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from app.kernel.errors import InvalidInput, NotFound
from devices.rules.sample import Sample

KEPT = timedelta(hours=4)
MOST_AT_ONCE = 4
MOST_BYTES = 12 * 1024 * 1024
GZIP = b"\x1f\x8b"
_as_samples = msgspec.msgpack.Decoder(list[Sample])


def text_of(content: bytes) -> str:
    """The text of an uploaded file, unpacked where it is gzip. Errors: ``InvalidInput`` for the field ``file``."""
    if content.startswith(GZIP):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            content = unpacker.decompress(content, MOST_BYTES + 1)
        except zlib.error:
            raise InvalidInput("压缩文件已损坏，请重新压缩或直接上传 CSV。", field="file") from None
    if len(content) > MOST_BYTES:
        raise InvalidInput("文件超过 %(most)s MB，请只上传一天的读数。", field="file", most=MOST_BYTES // 1024 // 1024)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("文件不是 UTF-8 文本，请另存为 UTF-8 编码的 CSV。", field="file") from None


def keep_day(folder: Path, samples: list[Sample], *, person_id: int, at: datetime) -> str:
    """Keep a day for this person; returns its name. Days past their time go, and all but their last few."""
    packed = msgspec.msgpack.encode(samples)
    name = hashlib.sha256(packed).hexdigest()[:24]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _path(folder, name, person_id)
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_bytes(packed)
    draft.replace(path)
    own = sorted(folder.glob(f"{person_id}-*.day"), key=_written, reverse=True)
    past = [one for one in folder.glob("*.day") if _written(one) < (at - KEPT).timestamp()]
    for old in {*own[MOST_AT_ONCE:], *past} - {path}:
        old.unlink(missing_ok=True)
    return name


def kept_day(folder: Path, name: str, *, person_id: int, at: datetime) -> list[Sample]:
    """Errors: ``NotFound`` where this person has no such day any more."""
    path = _path(folder, name, person_id)
    if not re.fullmatch(r"[0-9a-f]{24}", name) or _written(path) < (at - KEPT).timestamp():
        raise NotFound("上传的读数已不在，请重新上传。")
    return _as_samples.decode(path.read_bytes())


def _path(folder: Path, name: str, person_id: int) -> Path:
    return folder / f"{person_id}-{name}.day"


def _written(path: Path) -> float:
    """When the file was written, in seconds since 1970; zero where there is none."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
