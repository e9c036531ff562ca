"""What credit notes take back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.kernel.money import ZERO, Money
from billing.rules.dossier.wrong import DoesNotHold


class Credits:
    """Gathers the lines of a sale, and then sees whether each credit takes back one of them, and no more than it is.

    Errors of its methods: ``DoesNotHold`` naming the line.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._charged: dict[int, tuple[str, Money]] = {}
        self._taken: dict[int, tuple[str, str, Money]] = {}

    def take(self, which: str, told: Mapping[str, Any]) -> None:
        gross = Money.of(told["net"]) + Money.of(told["tax"])
        if told["origin"] != "credit":
            if told["credits_no"] is not None or told["credits_line"] is not None or gross < ZERO:
                raise DoesNotHold(self._name, which, expected="a credit, for it takes back", found=told["origin"])
            self._charged[told["line"]] = told["no"], gross
            return
        if not gross < ZERO or Money.of(told["net"]) > ZERO:
            raise DoesNotHold(self._name, f"{which}, a credit", expected="an amount below zero", found=gross)
        target, no = told["credits_line"], told["credits_no"]
        _, known, before = self._taken.get(target, ("", no, ZERO))
        if known != no:
            raise DoesNotHold(self._name, f"{which}, credits", expected=known, found=no)
        self._taken[target] = which, no, before - gross

    def close(self) -> None:
        for target, (which, no, taken) in self._taken.items():
            there = self._charged.get(target)
            if there is None or there[0] != no:
                expected = f"line {target} of {no} to take back"
                raise DoesNotHold(self._name, which, expected=expected, found="none")
            if taken > there[1]:
                expected = f"no more taken back of line {target} than {there[1]}"
                raise DoesNotHold(self._name, which, expected=expected, found=taken)
