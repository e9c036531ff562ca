"""Reading one JSON object with exactness: each key is taken once, and a key nobody took is an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from app.kernel.errors import InvalidInput
from app.kernel.money import Money

_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_MONEY = re.compile(r"(0|[1-9][0-9]{0,12})\.[0-9]{2}")
_VAT = re.compile(r"0\.[0-9]{2,4}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
Word = TypeVar("Word", bound=StrEnum)


class Given:
    """A JSON object at ``path``. Errors of all readers: ``InvalidInput`` with the path of the key as its field."""

    def __init__(self, given: Any, path: str = "") -> None:
        if not isinstance(given, Mapping):
            where = path or "tariff"
            raise InvalidInput("%(where)s 应是由键和值组成的对象。", field=where, where=where)
        self._given = given
        self._path = path
        self._left = list(given)

    def at(self, key: str | int) -> str:
        return f"{self._path}.{key}" if self._path else str(key)

    def has(self, key: str) -> bool:
        return key in self._given

    def names(self) -> list[str]:
        return list(self._given)

    def take(self, key: str) -> Any:
        if key not in self._given:
            raise InvalidInput("缺少 %(where)s，请补上。", field=self.at(key), where=self.at(key))
        if key in self._left:
            self._left.remove(key)
        return self._given[key]

    def finish(self) -> None:
        """Refuse the keys that nobody took."""
        if self._left:
            where = self.at(self._left[0])
            raise InvalidInput("%(where)s 不是已知的键，请改正拼写或删去。", field=where, where=where)

    def decimal(self, key: str, default: Decimal | None = None) -> Decimal:
        if default is not None and not self.has(key):
            return default
        return decimal(self.take(key), self.at(key))

    def positive(self, key: str) -> Decimal:
        value = self.decimal(key)
        if not value:
            raise InvalidInput("%(where)s 应大于零。", field=self.at(key), where=self.at(key))
        return value

    def step(self, key: str) -> Decimal | None:
        return self.positive(key) if self.has(key) else None

    def percent_of_whole(self, key: str) -> Decimal:
        value = self.decimal(key)
        if value > 100:
            raise InvalidInput("%(where)s 是百分数，应在 0 至 100 之间。", field=self.at(key), where=self.at(key))
        return value

    def money(self, key: str, default: Money | None = None) -> Money:
        if default is not None and not self.has(key):
            return default
        value = self.take(key)
        if not isinstance(value, str) or not _MONEY.fullmatch(value):
            raise InvalidInput(
                '%(where)s 是金额，应写成两位小数的文本，例如 "100.00"。', field=self.at(key), where=self.at(key)
            )
        return Money.of(value)

    def vat_rate(self, key: str = "vat_rate") -> Decimal:
        value = self.take(key) if self.has(key) else "0.00"
        if not isinstance(value, str) or not _VAT.fullmatch(value):
            raise InvalidInput(
                '%(where)s 是税率，应写成小于 1 的文本，例如 6 个百分点写成 "0.06"。',
                field=self.at(key),
                where=self.at(key),
            )
        return Decimal(value)

    def minutes(self, key: str, default: int | None = None, *, least: int = 0) -> int:
        value = default if default is not None and not self.has(key) else self.take(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InvalidInput(
                "%(where)s 应是整数分钟，不少于 %(least)s。", field=self.at(key), where=self.at(key), least=least
            )
        return value

    def flag(self, key: str) -> bool:
        value = self.take(key) if self.has(key) else False
        if not isinstance(value, bool):
            raise InvalidInput("%(where)s 只能是 true 或 false。", field=self.at(key), where=self.at(key))
        return value

    def text(self, key: str) -> str:
        value = self.take(key) if self.has(key) else ""
        if not isinstance(value, str):
            raise InvalidInput("%(where)s 应是文本。", field=self.at(key), where=self.at(key))
        return value

    def word(self, key: str, words: type[Word], *, only: Iterable[Word] | None = None) -> Word:
        value = self.take(key)
        allowed = list(words if only is None else only)
        if value not in allowed:
            choices = "、".join(allowed)
            raise InvalidInput(
                "%(where)s 只能是：%(choices)s。", field=self.at(key), where=self.at(key), choices=choices
            )
        return words(value)

    def clock(self, key: str) -> int:
        """A time of the day in minutes; ``24:00`` is the end of the day."""
        value = self.take(key)
        if not isinstance(value, str) or not _CLOCK.fullmatch(value):
            raise InvalidInput('%(where)s 应写成 HH:MM，例如 "08:30"。', field=self.at(key), where=self.at(key))
        return int(value[:2]) * 60 + int(value[3:])

    def objects(self, key: str) -> list[Given]:
        return [Given(item, f"{self.at(key)}.{i}") for i, item in enumerate(self.items(key))]

    def items(self, key: str) -> list[Any]:
        value = self.take(key) if self.has(key) else []
        if not isinstance(value, (list, tuple)):
            raise InvalidInput("%(where)s 应是列表。", field=self.at(key), where=self.at(key))
        return list(value)

    def object(self, key: str) -> Given | None:
        return Given(self.take(key), self.at(key)) if self.has(key) else None


def decimal(value: Any, where: str) -> Decimal:
    """A decimal written as text. Errors: ``InvalidInput`` for anything else, JSON numbers included."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise InvalidInput('%(where)s 应写成不为负的数字文本，例如 "12.5"。', field=where, where=where)
    return Decimal(value)
