"""Facts as JSON and back: the frozen inputs of a charge, from which it can be computed again for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval
from billing.rules.figures import plain
from billing.rules.pricing.facts import Booked, Run, UseFacts
from billing.rules.pricing.outcome import REASONS, Refused
from billing.rules.pricing.reading import read_terms, terms_told
from billing.rules.pricing.tariff import Unit

# Zones knew no whole minutes long ago, and nobody knows their clocks long ahead.
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


class MissingTime(Exception):
    """A local time that the clocks leave out, or that the offset it names never has."""


def facts_told(facts: UseFacts) -> dict[str, Any]:
    """A scenario object (docs/pricing.md) without id, titles and expectation; ``facts_of`` reads it."""
    zone = facts.zone
    told: dict[str, Any] = {
        "timezone": zone.key,
        "tariff": terms_told(facts.terms),
        "customer_class": facts.customer_class,
        "reservation": None if facts.reservation is None else _booked_told(facts.reservation, zone),
        "usage": None if facts.runs is None else [_run_told(run, zone) for run in facts.runs],
    }
    if facts.other_reservations:
        told["other_reservations"] = [_span_told(span, zone) for span in facts.other_reservations]
    if facts.other_usage:
        told["other_usage"] = [_span_told(span, zone) for span in facts.other_usage]
    if facts.prior_quantity:
        told["prior_quantity"] = plain(facts.prior_quantity)
    if facts.now is not None:
        told["now"] = local_text(facts.now, zone)
    return told


def facts_of(told: Mapping[str, Any]) -> UseFacts:
    """The facts of a scenario object.

    Errors: ``InvalidInput`` where it cannot be read, or holds times that do not exist.
    """
    facts = read_facts(told)
    if isinstance(facts, Refused):
        raise InvalidInput("无法计价：%(reason)s。", field="reservation", reason=REASONS[facts.reason][0])
    return facts


def read_facts(told: Mapping[str, Any]) -> UseFacts | Refused:
    """The facts of a scenario object, or the refusal that its times call for.

    Shape: an object that the schema passes. Errors: ``InvalidInput`` for what no schema can see.
    """
    zone = zone_of(told["timezone"])
    terms = read_terms(told["tariff"], "tariff")
    try:
        raw = told["reservation"]
        times = {
            key: moment_of_local(raw[key], zone, f"reservation.{key}")
            for key in ("start", "end", "cancelled_at", "checked_in_at", "booked_at")
            if raw is not None and raw.get(key) is not None
        }
        runs = None if told["usage"] is None else tuple(_runs(told["usage"], zone))
        others = {key: _spans(told.get(key, ()), key, zone) for key in ("other_reservations", "other_usage")}
        now = moment_of_local(told["now"], zone, "now") if told.get("now") is not None else None
    except MissingTime:
        return Refused("local_time_missing")
    booked = None
    if raw is not None:
        start, end = times.pop("start"), times.pop("end")
        if end <= start:
            return Refused("reservation_not_positive")
        by_operator = raw.get("cancelled_by", "customer") == "operator"
        booked = Booked(Interval(start, end), cancelled_by_operator=by_operator, **times)
    return UseFacts(
        terms=terms,
        zone=zone,
        customer_class=told.get("customer_class", "other"),
        reservation=booked,
        runs=runs,
        prior_quantity=Decimal(told.get("prior_quantity", "0")),
        now=now,
        **others,
    )


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            "时区 %(name)s 不存在，请写 IANA 名称，例如 Asia/Shanghai。", field="timezone", name=name
        ) from error


def moment_of_local(text: str, zone: ZoneInfo, where: str) -> datetime:
    """The moment of a local time, in UTC; one that occurs twice is the first, unless an offset follows.

    Errors: ``MissingTime``; ``InvalidInput`` where it is no time at all.
    """
    try:
        given = datetime.fromisoformat(text)
        if not _FIRST_YEAR <= given.year <= _LAST_YEAR:
            raise ValueError(text)
    except ValueError as error:
        raise InvalidInput(
            "%(where)s 不是存在的日期与时间，请写成 2026-06-16T09:00:00。", field=where, where=where
        ) from error
    wall, offset = given.replace(tzinfo=None), given.utcoffset()
    for fold in (0, 1):
        local = wall.replace(tzinfo=zone, fold=fold)
        moment = local.astimezone(UTC)
        exists = moment.astimezone(zone).replace(tzinfo=None) == wall
        if exists and (offset is None or offset == local.utcoffset()):
            return moment
    raise MissingTime(where)


def local_text(moment: datetime, zone: ZoneInfo) -> str:
    """The local time of a moment; the second of a time that occurs twice carries its offset."""
    local = moment.astimezone(zone)
    return local.isoformat() if local.fold else local.replace(tzinfo=None).isoformat()


def _runs(given: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> list[Run]:
    runs: list[Run] = []
    for i, run in enumerate(given):
        energy = run.get("energy_wh")
        runs.append(
            Run(
                moment_of_local(run["start"], zone, f"usage.{i}.start"),
                None if run["end"] is None else moment_of_local(run["end"], zone, f"usage.{i}.end"),
                None if energy is None else Decimal(energy),
                {Unit(unit): Decimal(count) for unit, count in run.get("counts", {}).items()},
            )
        )
    return runs


def _spans(given: Sequence[Mapping[str, Any]], key: str, zone: ZoneInfo) -> tuple[Interval, ...]:
    spans: list[Interval] = []
    for i, span in enumerate(given):
        start, end = (moment_of_local(span[edge], zone, f"{key}.{i}.{edge}") for edge in ("start", "end"))
        if end <= start:
            where = f"{key}.{i}.end"
            raise InvalidInput("%(where)s 应晚于 start。", field=where, where=where)
        spans.append(Interval(start, end))
    return tuple(spans)


def _booked_told(booked: Booked, zone: ZoneInfo) -> dict[str, Any]:
    told: dict[str, Any] = _span_told(booked.when, zone)
    for key in ("cancelled_at", "checked_in_at", "booked_at"):
        moment = getattr(booked, key)
        if moment is not None:
            told[key] = local_text(moment, zone)
    if booked.cancelled_by_operator:
        told["cancelled_by"] = "operator"
    return told


def _run_told(run: Run, zone: ZoneInfo) -> dict[str, Any]:
    told: dict[str, Any] = {
        "start": local_text(run.start, zone),
        "end": None if run.end is None else local_text(run.end, zone),
    }
    if run.energy_wh is not None:
        whole = run.energy_wh == int(run.energy_wh)
        told["energy_wh"] = int(run.energy_wh) if whole else plain(run.energy_wh)
    if run.counts:
        told["counts"] = {unit.value: plain(count) for unit, count in run.counts.items()}
    return told


def _span_told(span: Interval, zone: ZoneInfo) -> dict[str, str]:
    return {"start": local_text(span.start, zone), "end": local_text(span.end, zone)}
