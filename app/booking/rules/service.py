"""Commissioned work as values: what is sent along, what is quoted, and what was signed off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import PurePath

from app.booking.rules.words import REQUEST_MOVES, ItemKind, QuoteUnit, RequestKind, RequestState
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import Money, total

TITLE_LENGTH = 120
MOST_FILE_BYTES = 20 * 1024 * 1024
NAME_LENGTH = 80
"""Of a file: as many Chinese characters as every file system takes."""
NOT_IN_NAMES = frozenset('\\/:*?"<>|')


@dataclass(frozen=True, slots=True)
class SentItem:
    """A sample or material that comes along with a request."""

    kind: ItemKind
    name: str
    quantity: Decimal
    unit: str
    hazard: str = ""


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """One line of a quote. ``price_yuan`` a unit, with tax at ``tax_rate`` inside."""

    label: str
    quantity: Decimal
    unit: QuoteUnit
    price_yuan: Decimal
    tax_rate: Decimal

    @property
    def gross(self) -> Money:
        """Quantity × price, rounded once."""
        return Money.rounded(self.quantity * self.price_yuan)


@dataclass(frozen=True, slots=True)
class HandedFile:
    """A file as it is handed over."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class AgreedLine:
    """One line of an accepted quote, as billing sees it. ``gross`` is what was agreed."""

    quote_line_id: int
    position: int
    label: str
    quantity: Decimal
    unit: QuoteUnit
    price_yuan: Decimal
    tax_rate: Decimal
    gross: Money


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that the firm has signed off, with the quote that it had accepted."""

    request_id: int
    platform_id: int
    organization_id: int
    equipment_id: int | None
    kind: RequestKind
    title: str
    signed_at: datetime
    quote_version: int
    lines: tuple[AgreedLine, ...]


def file_name(given: str, *, ending: str | None = None) -> str:
    """What a file is called when it is saved: one line that reads as it is spelt, without a folder.

    ``ending`` takes the place of the one that came, where the content says what it is. Marks that hide text or turn
    its direction are no printable characters.
    """
    kept = PurePath("".join(one for one in given if one.isprintable() and one not in NOT_IN_NAMES).strip(". "))
    ending = (kept.suffix if ending is None else ending)[: NAME_LENGTH // 4]
    return (kept.stem[: NAME_LENGTH - len(ending)].rstrip(". ") or "文件") + ending


def insist_on_move(state: RequestState, wanted: RequestState) -> None:
    """Errors: ``Conflict`` if a request in ``state`` cannot become ``wanted``."""
    if wanted not in REQUEST_MOVES[state]:
        raise Conflict("这项委托的状态已经变化，不能再进行此操作。请刷新页面查看。", state=state.value)


def insist_on_items(items: Sequence[SentItem]) -> None:
    """Errors: ``InvalidInput`` for an item without a name, a unit or a quantity."""
    for item in items:
        if not item.name or not item.unit:
            raise InvalidInput("每件样品或材料都要写明名称和单位。", field="sent")
        if not item.quantity or not _within(item.quantity, most=10**9, decimals=3):
            raise InvalidInput("样品或材料的数量应大于零，最多三位小数。", field="sent")


def insist_on_quote(lines: Sequence[QuotedLine], *, valid_until: date, today: date) -> None:
    """Errors: ``InvalidInput`` for a quote that nobody could accept or work out again."""
    if not lines:
        raise InvalidInput("报价至少要有一行。", field="lines")
    for line in lines:
        if not line.label or len(line.label) > TITLE_LENGTH:
            raise InvalidInput("每行报价都要写明内容，最多 %(most)s 字。", field="lines", most=TITLE_LENGTH)
        if not line.quantity or not _within(line.quantity, most=10**9, decimals=3):
            raise InvalidInput("报价的数量应大于零，最多三位小数。", field="lines")
        if not _within(line.price_yuan, most=10**10, decimals=4):
            raise InvalidInput("报价的单价不能为负，最多四位小数。", field="lines")
        if not _within(line.tax_rate, most=1, decimals=4):
            raise InvalidInput("税率应为 0 至 100 之间的百分数。", field="lines")
    if valid_until < today:
        raise InvalidInput("报价的有效期不能早于今天。", field="valid_until")


def quote_total(lines: Sequence[QuotedLine]) -> Money:
    """The sum of the lines, each rounded once."""
    return total([line.gross for line in lines])


def _within(number: Decimal, *, most: int, decimals: int) -> bool:
    """Whether a column keeps the number as it is: finite, from zero to under ``most``."""
    if not number.is_finite() or not 0 <= number < most:
        return False
    exponent = number.normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= decimals
