"""One page of a long list, asked for in the address (``?page=2``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from flask import request, url_for
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

Row = TypeVar("Row")
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some ``rows`` of ``count`` in all. ``number`` begins at one."""

    rows: Sequence[Row]
    number: int
    count: int
    size: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // self.size))


def page_of(session: Session, query: Select[Any], *, size: int = PER_PAGE) -> Page[Any]:
    """The page of ``query`` that the address asks for, as entities or rows of one column."""
    count = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    number = _asked_for(count, size)
    rows = session.scalars(query.limit(size).offset((number - 1) * size)).unique().all()
    return Page(rows, number, count, size)


def page_of_list(found: Sequence[Row], *, size: int = PER_PAGE) -> Page[Row]:
    """The page that the address asks for of what is in memory already."""
    number = _asked_for(len(found), size)
    return Page(found[(number - 1) * size : number * size], number, len(found), size)


def page_of_rows(
    count: int, rows: Callable[[int, int], Sequence[Row]], *, size: int = PER_PAGE, at: int = 0
) -> Page[Row]:
    """The page that the address asks for of ``count`` rows, else that with row ``at``, counted from zero.

    ``rows`` gives so many from there on.
    """
    number = _asked_for(count, size, at=at)
    return Page(rows(size, (number - 1) * size), number, count, size)


def _asked_for(count: int, size: int, *, at: int = 0) -> int:
    return min(max(1, request.args.get("page", at // size + 1, type=int)), max(1, -(-count // size)))


def wanted_file() -> Literal["csv", "xlsx"] | None:
    """Whether the address asks for the whole table as a file (``?format=csv``)."""
    form = request.args.get("format")
    return "csv" if form == "csv" else "xlsx" if form == "xlsx" else None


def here_with(**changes: Any) -> str:
    """The present address with some of its arguments changed; ``None`` takes one out."""
    arguments: dict[str, Any] = {**(request.view_args or {}), **request.args.to_dict()}
    arguments.update(changes)
    return url_for(request.endpoint or "home.start", **{k: v for k, v in arguments.items() if v is not None})
