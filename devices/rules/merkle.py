"""Merkle trees as RFC 6962 section 2.1 has them: one root over many leaves, short proofs for each.

A tree over whole blocks of a power of two leaves is the tree over the blocks' roots, so a long list of leaves is
hashed block by block: ``root`` of the blocks' roots is the root, and a proof is the path in the block and then the
path of the block among the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

SIZE = 32
"""Bytes of a hash."""
EMPTY = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes (or over the roots of equal blocks). O(n)."""
    if not hashes:
        return EMPTY
    level = hashes
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf ``index`` to the root, from the bottom. Errors: ``IndexError``. O(n)."""
    if not 0 <= index < len(hashes):
        raise IndexError(index)
    level, steps = hashes, []
    while len(level) > 1:
        neighbour = index ^ 1
        if neighbour < len(level):
            steps.append(level[neighbour])
        level, index = _above(level), index // 2
    return steps


def root_from(leaf: bytes, *, index: int, size: int, steps: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to from the hash ``leaf``, or ``None`` if it has not the length that it must have."""
    if not 0 <= index < size:
        return None
    found, last, left = leaf, size - 1, list(reversed(steps))
    while last:
        if index % 2 or index < last:  # the last node of an odd level goes up as it is
            if not left:
                return None
            step = left.pop()
            found = node_hash(step, found) if index % 2 else node_hash(found, step)
        index, last = index // 2, last // 2
    return None if left else found


def split(packed: bytes) -> list[bytes]:
    """The hashes that were put one behind the other."""
    return [packed[at : at + SIZE] for at in range(0, len(packed), SIZE)]


def _above(level: Sequence[bytes]) -> list[bytes]:
    pairs = iter(level)
    above = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above
