from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from devices.rules.unlike import unlike


class Thing(NamedTuple):
    hash: bytes


def told(sealed, present, window=4096):
    found = unlike([bytes([one]) for one in sealed], [Thing(bytes([one])) for one in present], window=window)
    return [
        (
            [one[0] for one in stretch.sealed],
            [one.hash[0] for one in stretch.present],
            stretch.before and stretch.before.hash[0],
        )
        for stretch in found
    ]


def test_changed_removed_and_added_are_told_with_what_stands_before():
    assert told([1, 2, 3], [1, 2, 3]) == []
    assert told([1, 2, 3], [1, 9, 3]) == [([2], [9], 1)]
    assert told([1, 2, 3, 4], [1, 2, 4]) == [([3], [], 2)]
    assert told([1, 2], [7, 1, 2, 8]) == [([], [7], None), ([], [8], 2)]
    assert told([1, 2], []) == [([1, 2], [], None)]


@given(st.lists(st.integers(0, 255), unique=True), st.sets(st.integers(0, 60)), st.integers(1, 9))
def test_whatever_was_done_every_difference_is_told(sealed, places, window):
    present = [one for place, one in enumerate(sealed) if place not in places]
    stretches = told(sealed, present, window)
    gone = [one for missing, _, _ in stretches for one in missing]
    new = [one for _, added, _ in stretches for one in added]
    assert set(gone) - set(new) == set(sealed) - set(present)
    assert set(new) <= set(gone)
