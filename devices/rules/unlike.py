"""Where two long rows of hashes differ, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

WINDOW = 4096


class Hashed(Protocol):
    @property
    def hash(self) -> bytes: ...


Thing = TypeVar("Thing", bound=Hashed)


@dataclass(frozen=True, slots=True)
class Unlike(Generic[Thing]):
    """Hashes that were ``sealed`` and are not there, and the ``present`` things that stand in their place.

    ``before`` is the last thing that fits.
    """

    sealed: list[bytes]
    present: list[Thing]
    before: Thing | None


def unlike(sealed: Iterable[bytes], present: Iterable[Thing], *, window: int = WINDOW) -> Iterator[Unlike[Thing]]:
    """Each stretch in which the two differ. They are taken to fit again at the first hash that both have within
    ``window``. O(n), and O(window) for each stretch.
    """
    ours, theirs = iter(sealed), iter(present)
    left: deque[bytes] = deque()
    right: deque[Thing] = deque()
    before: Thing | None = None
    while True:
        if not left or not right:
            left.extend(islice(ours, window - len(left)))
            right.extend(islice(theirs, window - len(right)))
            if not left and not right:
                return
        if left and right and left[0] == right[0].hash:
            left.popleft()
            before = right.popleft()
            continue
        left.extend(islice(ours, window - len(left)))
        right.extend(islice(theirs, window - len(right)))
        places = {one: place for place, one in enumerate(left)}
        gone, new = next(
            ((places[one.hash], place) for place, one in enumerate(right) if one.hash in places),
            (len(left), len(right)),
        )
        yield Unlike([left.popleft() for _ in range(gone)], [right.popleft() for _ in range(new)], before)
