"""Merkle trees as RFC 6962 section 2.1 has them: one root over many leaves, short proofs for each.

A tree over whole blocks of a power of two leaves is the tree over the blocks' roots, so a long list of leaves is
hashed block by block: ``root`` of the blocks' roots is the root, and a proof is the path in the block and then the
path of the block among the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise

SIZE = 32
"""Bytes of a hash."""
BLOCK = 4096
"""So many leaves of a seal are kept together."""
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


def others_of(hashes: Sequence[bytes], places: Sequence[int]) -> list[bytes]:
    """The hashes that lead from the leaves at ``places`` (ascending) to the root: of all levels, from the bottom.

    Together they take about as much as the leaves that are missing between them, however many are asked for. O(n).
    """
    others: list[bytes] = []
    level = hashes
    known = list(places)
    while len(level) > 1:
        have = set(known)
        others += [level[one ^ 1] for one in known if one ^ 1 < len(level) and one ^ 1 not in have]
        level, known = _above(level), sorted({one // 2 for one in known})
    return others


def root_of_some(hashes: Sequence[bytes], places: Sequence[int], *, size: int, others: Sequence[bytes]) -> bytes | None:
    """The root that leaf ``hashes`` at ``places`` (ascending) lead to, or ``None`` if ``others`` are not as many as
    they must be. ``others_of`` names them. O(places) where they are many.
    """
    if not places or places[-1] >= size or any(a >= b for a, b in pairwise(places)) or places[0] < 0:
        return None
    known, level, left = list(places), list(hashes), iter(others)
    try:
        while size > 1:
            if len(known) == size:
                break
            known, level = _some_above(known, level, size, left)
            size = (size + 1) // 2
    except StopIteration:
        return None
    return None if next(left, None) is not None else root(level)


def _some_above(
    known: Sequence[int], level: Sequence[bytes], size: int, left: Iterator[bytes]
) -> tuple[list[int], list[bytes]]:
    above: list[bytes] = []
    places: list[int] = []
    at, count = 0, len(known)
    while at < count:
        place, found = known[at], level[at]
        at += 1
        if place % 2:
            found = sha256(b"\1" + next(left) + found).digest()
        elif at < count and known[at] == place + 1:
            found = sha256(b"\1" + found + level[at]).digest()
            at += 1
        elif place + 1 < size:
            found = sha256(b"\1" + found + next(left)).digest()
        above.append(found)
        places.append(place // 2)
    return places, above
