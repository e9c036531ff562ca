"""Where a meter speaks: ``m/<shard>/<meter code>/<what>``, or Sparkplug's ``spBv1.0/ps<shard>/<what>/<code>``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

SHARDS = 16
SPARKPLUG = "spBv1.0"
DOWNLINK = frozenset({"ack", "backfill", "cmd", "rpc", "NCMD", "DCMD", "cmnd"})
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}\Z")


@dataclass(frozen=True, slots=True)
class MeterTopic:
    """The parts of a topic. ``suffix`` is what it says beside the meter's code, such as ``data``."""

    shard: int
    code: str
    suffix: str

    @property
    def downlink(self) -> bool:
        """Whether the topic carries something to the meter, and so nothing to store."""
        return self.suffix.partition("/")[0] in DOWNLINK or self.suffix.endswith(("/set", "/get"))


def shard_of(code: str) -> int:
    """The part of the topic space that the meter ``code`` lives in: 0 to 15, the same everywhere."""
    return crc32(code.encode()) % SHARDS


def topic_of(code: str, suffix: str) -> str:
    return f"m/{shard_of(code)}/{code}/{suffix}"


def sparkplug_topic(code: str, suffix: str) -> str:
    """``suffix`` is the kind of message, with the device behind it if it is about one: ``DDATA/press``."""
    kind, slash, device = suffix.partition("/")
    return f"{SPARKPLUG}/ps{shard_of(code)}/{kind}/{code}{slash}{device}"


def topics_of_shard(shard: int) -> tuple[str, str]:
    """What a listener subscribes to for one shard."""
    return f"m/{shard}/#", f"{SPARKPLUG}/ps{shard}/#"


def read_topic(topic: str) -> MeterTopic | None:
    """The parts of ``topic``, or ``None`` where it names no meter, or a meter in another's shard."""
    match topic.split("/", 4):
        case ["m", shard, code, *rest] if rest and rest[0]:
            suffix = "/".join(rest)
        case ["spBv1.0", group, kind, code, *rest] if group.startswith("ps") and kind:
            shard, suffix = group.removeprefix("ps"), "/".join([kind, *rest])
        case _:
            return None
    if not _CODE.match(code) or shard != str(shard_of(code)):
        return None
    return MeterTopic(int(shard), code, suffix)
