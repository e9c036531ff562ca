"""What credit notes take back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from app.kernel.money import ZERO, Money
from billing.rules.dossier.wrong import DoesNotHold, insist
from billing.rules.tax import credited

SAME = ("category", "relation", "rate", "served_on", "no_show_fee")
"""What decides how a line counts, which a credit has from the line that it takes back."""


class Credits:
    """Gathers the lines of a sale, and then sees whether each credit takes back one of them, and no more than it is.

    Errors of its methods: ``DoesNotHold`` naming the line.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._charged: dict[int, Mapping[str, Any]] = {}
        self._credits: dict[int, list[tuple[str, Mapping[str, Any]]]] = {}

    def take(self, which: str, told: Mapping[str, Any]) -> None:
        gross = Money.of(told["net"]) + Money.of(told["tax"])
        if told["origin"] != "credit":
            if told["credits_no"] is not None or told["credits_line"] is not None or gross < ZERO:
                raise DoesNotHold(self._name, which, expected="a credit, for it takes back", found=told["origin"])
            self._charged[told["line"]] = told
        elif not gross < ZERO:
            raise DoesNotHold(self._name, f"{which}, a credit", expected="an amount below zero", found=gross)
        else:
            self._credits.setdefault(told["credits_line"], []).append((which, told))

    def close(self) -> None:
        for target, credits in self._credits.items():
            line = self._charged.get(target)
            for which, told in credits:
                if line is None or line["no"] != told["credits_no"]:
                    expected = f"line {target} of {told['credits_no']} to take back"
                    raise DoesNotHold(self._name, which, expected=expected, found="none")
                for key in SAME:
                    insist(self._name, f"{which}, {key} of what it takes back", expected=line[key], found=told[key])
            if line is not None:
                self._insist_parts(line, credits)

    def _insist_parts(self, line: Mapping[str, Any], credits: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Each takes its part of net and tax, in their order, and together no more than there is."""
        net_left = Money.of(line["net"])
        gross_left = net_left + Money.of(line["tax"])
        for which, told in credits:
            net = -Money.of(told["net"])
            gross = net - Money.of(told["tax"])
            if gross > gross_left:
                expected = f"no more taken back of line {line['line']} than {gross_left}"
                raise DoesNotHold(self._name, which, expected=expected, found=gross)
            part = credited(gross, rate=Decimal(line["rate"]), net_left=net_left, gross_left=gross_left)
            insist(self._name, f"{which}, net of what it takes back", expected=-part.net, found=-net)
            net_left, gross_left = net_left - net, gross_left - gross
