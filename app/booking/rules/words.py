"""The words of booking that tables and rules share."""

from __future__ import annotations

from enum import StrEnum


class WaitState(StrEnum):
    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class MisstepKind(StrEnum):
    """How a reservation was kept. ``GOOD_USE`` is the one that gives points back."""

    NO_SHOW = "no_show"
    LATE_CANCELLATION = "late_cancellation"
    LATE = "late"
    OVERRUN = "overrun"
    GOOD_USE = "good_use"


class FeedScope(StrEnum):
    PERSON = "person"
    EQUIPMENT = "equipment"
    PLATFORM = "platform"


class RequestKind(StrEnum):
    """Commissioned work: a measurement, a sample that is sent in, a batch that is made for the firm."""

    COMMISSIONED_TEST = "commissioned_test"
    SAMPLE = "sample"
    CONTRACT_PROCESSING = "contract_processing"


class RequestState(StrEnum):
    SUBMITTED = "submitted"
    QUOTED = "quoted"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    DELIVERED = "delivered"
    SIGNED_OFF = "signed_off"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class ItemKind(StrEnum):
    SAMPLE = "sample"
    MATERIAL = "material"


class QuoteUnit(StrEnum):
    HOUR = "hour"
    RUN = "run"
    BATCH = "batch"
    SAMPLE = "sample"
    KILOGRAM = "kilogram"
    METRE = "metre"
    PIECE = "piece"


REQUEST_MOVES: dict[RequestState, frozenset[RequestState]] = {
    RequestState.SUBMITTED: frozenset({RequestState.QUOTED, RequestState.DECLINED, RequestState.WITHDRAWN}),
    RequestState.QUOTED: frozenset(
        {RequestState.QUOTED, RequestState.ACCEPTED, RequestState.DECLINED, RequestState.WITHDRAWN}
    ),
    RequestState.ACCEPTED: frozenset({RequestState.SCHEDULED, RequestState.DELIVERED, RequestState.WITHDRAWN}),
    RequestState.SCHEDULED: frozenset({RequestState.SCHEDULED, RequestState.DELIVERED}),
    RequestState.DELIVERED: frozenset({RequestState.DELIVERED, RequestState.SIGNED_OFF}),
    RequestState.SIGNED_OFF: frozenset(),
    RequestState.DECLINED: frozenset(),
    RequestState.WITHDRAWN: frozenset(),
}
