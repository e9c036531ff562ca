"""What does not hold in a dossier, said so that anybody can look at the place."""

from __future__ import annotations


class DoesNotHold(Exception):
    """The first thing that is not as it should be. ``where`` is a member of the dossier, ``which`` a thing in it."""

    def __init__(self, where: str, which: str, *, expected: object, found: object) -> None:
        self.where, self.which, self.expected, self.found = where, which, str(expected), str(found)
        super().__init__(where, which, self.expected, self.found)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.where, self.which, self.expected, self.found)

    def __str__(self) -> str:
        return f"{self.where}: {self.which}\n  expected  {self.expected}\n  found     {self.found}"


def _again(where: str, which: str, expected: str, found: str) -> DoesNotHold:
    return DoesNotHold(where, which, expected=expected, found=found)


def insist(where: str, which: str, *, expected: object, found: object) -> None:
    """Errors: ``DoesNotHold`` unless both are equal."""
    if expected != found:
        raise DoesNotHold(where, which, expected=expected, found=found)
