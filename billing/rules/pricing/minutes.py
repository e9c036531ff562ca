"""Which minutes are charged. A span is whole minutes since the epoch, half-open; lengths are real elapsed time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.kernel.interval import Interval
from billing.rules.pricing.facts import UseFacts
from billing.rules.pricing.tariff import ChargeMode, Rounding, Terms

Span = tuple[int, int]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minute_of(moment: datetime) -> int:
    """The minute in which ``moment`` lies: its seconds are cut off."""
    return (moment - EPOCH) // MINUTE


def moment_of(minute: int) -> datetime:
    return EPOCH + minute * MINUTE


def span_of(start: datetime, end: datetime) -> Span:
    """Seconds are cut off both ends; there is at least one minute."""
    first = minute_of(start)
    return first, max(minute_of(end), first + 1)


def run_spans(facts: UseFacts) -> list[Span]:
    """The runs in the order of time. Shape: runs that have ended."""
    return sorted(span_of(run.start, run.end) for run in facts.runs or () if run.end is not None)


def reserved_span(facts: UseFacts) -> Span | None:
    booked = facts.reservation
    return span_of(booked.when.start, booked.when.end) if booked else None


def charged_spans(facts: UseFacts, mode: ChargeMode, runs: Sequence[Span]) -> list[Span]:
    """The charged time in order, no minute twice. O(n log n) in the number of runs and other people's use."""
    terms, reserved = facts.terms, reserved_span(facts)
    if mode is ChargeMode.USAGE:
        inner = ((s + terms.lead_minutes, e - terms.post_minutes) for s, e in runs)
        return merged(span for span in inner if span[0] < span[1])
    if mode is ChargeMode.UNION:
        taken = [span_of(other.start, other.end) for other in facts.other_usage]
        return minus(merged([*runs, *([reserved] if reserved else [])]), [*_lead_and_post(runs, terms), *taken])
    if reserved is None:
        return []
    if mode is ChargeMode.OVERAGE:
        return [(reserved[0], max([reserved[1], *(end for _, end in runs)]))]
    return [reserved]


def _lead_and_post(runs: Sequence[Span], terms: Terms) -> list[Span]:
    lead = [(s, min(e, s + terms.lead_minutes)) for s, e in runs] if terms.lead_minutes else []
    post = [(max(s, e - terms.post_minutes), e) for s, e in runs] if terms.post_minutes else []
    return lead + post


def end_of_charged_time(facts: UseFacts, mode: ChargeMode, runs: Sequence[Span]) -> int:
    """The reserved end, the end of the last run, or the later of them, as the mode says."""
    reserved = reserved_span(facts)
    ends = [end for _, end in runs] if mode is not ChargeMode.RESERVATION else []
    if reserved and mode is not ChargeMode.USAGE:
        ends.append(reserved[1])
    return max(ends)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same minutes, each once, as few spans in order."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def minus(spans: Sequence[Span], holes: Iterable[Span]) -> list[Span]:
    """``spans`` without the minutes of ``holes``. Shape: ``spans`` as ``merged`` gives them."""
    left: list[Span] = []
    cuts = merged(holes)
    first = 0
    for start, end in spans:
        while first < len(cuts) and cuts[first][1] <= start:
            first += 1
        at = first
        while at < len(cuts) and cuts[at][0] < end:
            if cuts[at][0] > start:
                left.append((start, cuts[at][0]))
            start = max(start, cuts[at][1])
            at += 1
        if start < end:
            left.append((start, end))
    return left


def length(spans: Iterable[Span]) -> int:
    return sum(end - start for start, end in spans)


def rounded_minutes(minutes: int, terms: Terms) -> int:
    """Charged minutes after the billing increment. Nothing charged stays nothing."""
    step = terms.increment_minutes
    if not minutes or terms.increment_rounding is Rounding.NONE:
        return minutes
    if terms.increment_rounding is Rounding.UP:
        return -(-minutes // step) * step
    return max((2 * minutes + step) // (2 * step), 1) * step


def started_days(spans: Sequence[Span], zone: ZoneInfo) -> int:
    """Days that have started up to the last charged minute; each ends at the clock time of the first one."""
    if not spans:
        return 0
    first, end = moment_of(spans[0][0]).astimezone(zone), moment_of(spans[-1][1])
    days = max((end.astimezone(zone).date() - first.date()).days - 1, 1)
    # Arithmetic on a local time keeps its clock, which is what "the same time of the next date" asks for.
    while (first.replace(fold=0) + timedelta(days=days)).astimezone(UTC) < end:
        days += 1
    return days


def covers(spans: Iterable[Interval], start: datetime, end: datetime) -> bool:
    """Whether ``spans`` together leave nothing of the time from ``start`` to ``end``; no time at all is not covered."""
    if end <= start:
        return False
    for span in sorted(spans):
        if span.start <= start < span.end:
            start = span.end
    return start >= end
