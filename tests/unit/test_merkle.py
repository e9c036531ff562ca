from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules import merkle

BLOCK = 8


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = half(len(leaves))
    return sha256(b"\1" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def slow_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = half(len(leaves))
    if index < k:
        return [*slow_path(index, leaves[:k]), slow_root(leaves[k:])]
    return [*slow_path(index - k, leaves[k:]), slow_root(leaves[:k])]


def half(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


def hashes_of(leaves: list[bytes]) -> list[bytes]:
    return [merkle.leaf_hash(leaf) for leaf in leaves]


LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


@given(LEAVES)
def test_roots_and_paths_are_those_of_the_rfc(leaves):
    hashes = hashes_of(leaves)
    assert merkle.root(hashes) == slow_root(leaves)
    for index in range(len(leaves)):
        assert merkle.path(hashes, index) == slow_path(index, leaves)


@given(LEAVES)
def test_every_leaf_is_proved(leaves):
    hashes = hashes_of(leaves)
    for index, leaf in enumerate(hashes):
        steps = merkle.path(hashes, index)
        assert merkle.root_from(leaf, index=index, size=len(leaves), steps=steps) == merkle.root(hashes)


@given(LEAVES, st.data())
def test_any_change_of_leaf_index_size_or_path_proves_nothing(leaves, data):
    leaves = [bytes([number]) + leaf for number, leaf in enumerate(leaves)]  # no two alike
    hashes, size = hashes_of(leaves), len(leaves)
    index = data.draw(st.integers(0, size - 1))
    steps, root = merkle.path(hashes, index), merkle.root(hashes)
    proved = {
        (found, place, length, tuple(way))
        for found, place, length, way in [
            (merkle.leaf_hash(leaves[index] + b"!"), index, size, steps),
            *((hashes[index], other, size, steps) for other in range(-1, size + 1) if other != index),
            (hashes[index], index, size, [*steps, bytes(32)]),
            (hashes[index], index, size, steps[:-1] if steps else [bytes(32)]),
            *(
                (hashes[index], index, size, [*steps[:at], bytes([step[0] ^ 1]) + step[1:], *steps[at + 1 :]])
                for at, step in enumerate(steps)
            ),
        ]
        if merkle.root_from(found, index=place, size=length, steps=way) == root
    }
    assert proved == set()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
def test_a_proof_fits_no_tree_whose_size_needs_another_path(size):
    leaves = [bytes([number]) for number in range(size)]
    steps, root = merkle.path(hashes_of(leaves), 0), merkle.root(hashes_of(leaves))
    for other in range(1, 40):
        if other.bit_length() != size.bit_length() and (other - 1).bit_length() != (size - 1).bit_length():
            found = merkle.root_from(merkle.leaf_hash(leaves[0]), index=0, size=other, steps=steps)
            assert found != root


@given(st.integers(1, 70), st.data())
def test_a_tree_of_blocks_is_the_tree_of_their_leaves(count, data):
    hashes = hashes_of([bytes([number]) for number in range(count)])
    blocks = [hashes[at : at + BLOCK] for at in range(0, count, BLOCK)]
    roots = [merkle.root(block) for block in blocks]
    assert merkle.root(roots) == merkle.root(hashes)
    index = data.draw(st.integers(0, count - 1))
    block, place = divmod(index, BLOCK)
    assert [*merkle.path(blocks[block], place), *merkle.path(roots, block)] == merkle.path(hashes, index)


def test_what_is_packed_is_split_again():
    hashes = hashes_of([b"a", b"b"])
    assert merkle.split(b"".join(hashes)) == hashes
    assert merkle.root([]) == sha256(b"").digest()
    with pytest.raises(IndexError):
        merkle.path(hashes, 2)


@given(LEAVES, st.data())
def test_some_leaves_are_proved_together_with_no_more_than_the_missing_hashes(leaves, data):
    hashes = hashes_of(leaves)
    places = sorted(data.draw(st.sets(st.integers(0, len(leaves) - 1), min_size=1)))
    others = merkle.others_of(hashes, places)
    known = [hashes[place] for place in places]
    assert merkle.root_of_some(known, places, size=len(leaves), others=others) == merkle.root(hashes)
    assert len(others) <= min(len(leaves) - len(places), len(places) * len(leaves).bit_length())
    wrong = data.draw(st.integers(0, len(places) - 1))
    forged = [bytes(32) if at == wrong else one for at, one in enumerate(known)]
    assert merkle.root_of_some(forged, places, size=len(leaves), others=others) != merkle.root(hashes)
    assert merkle.root_of_some(known, places, size=len(leaves), others=[*others, bytes(32)]) is None
    if others:
        assert merkle.root_of_some(known, places, size=len(leaves), others=others[1:]) is None
