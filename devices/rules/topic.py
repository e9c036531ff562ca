"""Where a meter speaks: ``m/<shard>/<meter code>/<what>``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

SHARDS = 16
DOWNLINK = frozenset({"ack", "backfill"})
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}\Z")


@dataclass(frozen=True, slots=True)
class MeterTopic:
    """The parts of a topic. ``suffix`` is what follows the meter's code, such as ``data``."""

    shard: int
    code: str
    suffix: str

    @property
    def downlink(self) -> bool:
        """Whether the topic carries something to the meter, and so nothing to store."""
        return self.suffix in DOWNLINK or self.suffix.partition("/")[0] == "cmnd"


def shard_of(code: str) -> int:
    """The part of the topic space that the meter ``code`` lives in: 0 to 15, the same everywhere."""
    return crc32(code.encode()) % SHARDS


def topic_of(code: str, suffix: str) -> str:
    return f"m/{shard_of(code)}/{code}/{suffix}"


def shard_filter(shard: int) -> str:
    """What a listener subscribes to for one shard."""
    return f"m/{shard}/#"


def read_topic(topic: str) -> MeterTopic | None:
    """The parts of ``topic``, or ``None`` where it names no meter, or a meter in another's shard."""
    match topic.split("/", 3):
        case ["m", shard, code, suffix] if _CODE.match(code) and suffix and shard == str(shard_of(code)):
            return MeterTopic(int(shard), code, suffix)
    return None
