"""How values look on a page: Jinja filters. Nothing here decides anything."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from flask import Flask
from flask_babel import format_date, format_datetime, get_locale, gettext
from markupsafe import Markup

from app.identity.rules.town import place_in_english
from app.kernel import clock
from app.kernel.interval import Interval
from app.kernel.money import Money


def register(app: Flask) -> None:
    app.jinja_env.filters.update(
        money=money,
        price=price,
        hours=hours,
        moment=moment,
        clock=clock_time,
        day=day,
        month=month,
        span=span,
        kwh=kwh,
        watts=watts,
        percent=percent,
        quantity=quantity,
        input_time=input_time,
        said=said,
        place=place,
    )


def is_english() -> bool:
    return str(get_locale()) == "en"


def said(thing: Any, attribute: str) -> str:
    """``thing.name_zh`` or ``thing.name_en``, as the reader reads; with ``attribute`` empty plain ``zh`` or ``en``."""
    language = "en" if is_english() else "zh"
    name = f"{attribute}_{language}" if attribute else language
    return str(thing[name] if isinstance(thing, dict) else getattr(thing, name))


def place(name: str) -> str:
    """A town, street or park as the reader reads."""
    return place_in_english(name) if is_english() else name


def money(amount: Money | int | str | None) -> str:
    """``¥1,234.56``. Units: :class:`Money`, whole fen, or yuan as text (from stored results)."""
    if amount is None:
        return "—"
    if isinstance(amount, str):
        amount = Money.of(amount)
    fen = amount.fen if isinstance(amount, Money) else amount
    return f"{'−' if fen < 0 else ''}¥{Decimal(abs(fen)).scaleb(-2):,.2f}"


def price(yuan: Decimal) -> str:
    """A price per unit: two decimals, more only where it has them."""
    plain = yuan.normalize()
    exponent = plain.as_tuple().exponent
    return f"¥{yuan:,.{max(2, -exponent if isinstance(exponent, int) else 2)}f}"


def hours(length: timedelta | float | None) -> Markup:
    """``3.25 h``, and in words on hover. Units: a duration or seconds."""
    if length is None:
        return Markup("—")
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    minutes, rest = divmod(round(seconds), 60)
    if minutes:
        words = gettext("%(hours)s 小时 %(minutes)s 分", hours=minutes // 60, minutes=minutes % 60)
    else:
        words = gettext("%(seconds)s 秒", seconds=rest)
    shown = f"{seconds / 3600:.2f} h"
    return Markup('<span class="nowrap tabular" title="{}">{}</span>').format(words, shown)


def moment(at: datetime | None, *, seconds: bool = False) -> str:
    """The facility's time; the date is left out only today."""
    if at is None:
        return "—"
    time = "HH:mm:ss" if seconds else "HH:mm"
    here, today = clock.local_date(at), clock.local_date(clock.now())
    if here == today:
        return gettext("今天 %(time)s", time=format_datetime(at, time))
    pattern = ("d MMM" if here.year == today.year else "d MMM y") if is_english() else "M月d日"
    if not is_english() and here.year != today.year:
        pattern = "y年M月d日"
    return format_datetime(at, f"{pattern} {time}")


def clock_time(at: datetime) -> str:
    return format_datetime(at, "HH:mm")


def day(on: date | datetime | None) -> str:
    if on is None:
        return "—"
    return _day(clock.local_date(on) if isinstance(on, datetime) else on, english=is_english())


@lru_cache(maxsize=4096)
def _day(on: date, *, english: bool) -> str:
    """Tables show the same few days again and again, and finding their words is slow."""
    return format_date(on, "d MMM y" if english else "y年M月d日")


def month(first: date) -> str:
    return format_date(first, "MMMM y" if is_english() else "y年M月")


def span(when: Interval) -> str:
    """``11月24日 09:00–12:00``; the second date is named where it differs."""
    if clock.local_date(when.start) == clock.local_date(when.end - timedelta(microseconds=1)):
        end = clock_time(when.end)
        return f"{moment(when.start)}–{'24:00' if end == '00:00' else end}"
    return f"{moment(when.start)} – {moment(when.end)}"


def kwh(energy_mwh: int | None) -> str:
    """Units: milliwatt-hours in, kilowatt-hours out."""
    return "—" if energy_mwh is None else f"{Decimal(energy_mwh) / 1_000_000:,.3f} kWh"


def watts(power_w: float | None) -> str:
    if power_w is None:
        return "—"
    return f"{power_w / 1000:,.2f} kW" if abs(power_w) >= 1000 else f"{power_w:,.1f} W"


def percent(share: Decimal) -> str:
    return f"{quantity(share * 100)} %"


def quantity(number: Decimal) -> str:
    return f"{number.normalize():,f}"


def input_time(at: datetime) -> str:
    """For ``<input type=datetime-local>``: the facility's wall clock."""
    return at.astimezone(clock.FACILITY_ZONE).strftime("%Y-%m-%dT%H:%M")
