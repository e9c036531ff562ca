"""What follows from the facts: a price, nothing to pay, a question for a person, or no price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from app.kernel.money import Money, total
from billing.rules.tax import Taxed


class LineKind(StrEnum):
    TIME = "time"
    RUN = "run"
    BATCH = "batch"
    SAMPLE = "sample"
    MASS = "mass"
    LENGTH = "length"
    ENERGY = "energy"
    SETUP = "setup"
    MATERIAL = "material"
    BOOKING = "booking"
    LABOUR = "labour"
    URGENT = "urgent"
    MINIMUM_TOP_UP = "minimum_top_up"
    CANCELLATION = "cancellation"
    NO_SHOW = "no_show"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line of a bill, with the sentence by which the customer works it out again.

    Units: time is in minutes, its ``unit_price`` in yuan per hour. ``unit_price`` is ``None`` where more than one
           applies; it contains VAT where the terms say that prices do.
    """

    kind: LineKind
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount: Taxed
    vat_rate: Decimal
    explanation_zh: str
    explanation_en: str
    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Priced:
    """A bill. ``support`` is money that someone else pays; it lowers ``payable`` and neither net nor VAT."""

    lines: tuple[PricedLine, ...]
    support: Money
    billing_month: date

    @property
    def net(self) -> Money:
        return total([line.amount.net for line in self.lines])

    @property
    def tax(self) -> Money:
        return total([line.amount.tax for line in self.lines])

    @property
    def gross(self) -> Money:
        return total([line.amount.gross for line in self.lines])

    @property
    def payable(self) -> Money:
        return self.gross - self.support


@dataclass(frozen=True, slots=True)
class Free:
    """All is known and nothing is to be paid."""

    reason: str


@dataclass(frozen=True, slots=True)
class NeedsReview:
    """No price until a person has decided; no amount may be shown as one."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No price on these facts, or not yet."""

    reason: str


Outcome = Priced | Free | NeedsReview | Refused

REASONS = {
    "cancelled_in_time": ("在免费时限内取消，不收费", "Cancelled in time: no fee"),
    "cancelled_by_operator": ("由平台取消，不收费", "Cancelled by the platform: no fee"),
    "no_cancellation_fee": ("资费没有取消费", "The tariff has no fee for this cancellation"),
    "no_use": ("没有使用，不收费", "No use, nothing to pay"),
    "slot_taken": ("宽限时间内设备一直被他人占用，不算爽约", "Others used it for the whole grace time: no no-show"),
    "slot_reused": ("时段已全部由他人使用，免收爽约费", "Others took the whole slot: the no-show fee is waived"),
    "no_show_free": ("爽约，本次不收费", "No-show, without a fee"),
    "zero_price": ("各项均为 0.00 元", "Every line is 0.00"),
    "usage_unknown": ("电表没有数据，不知是否使用，须人工核定", "The meter was silent: a person has to decide"),
    "usage_not_ended": ("有一次运行没有结束时间，须人工核定", "A run has no end: a person has to decide"),
    "usage_not_positive": ("有一次运行的结束不晚于开始，须人工核定", "A run ends before it starts: ask a person"),
    "usage_in_future": ("有一次运行的结束晚于当前时间，须人工核定", "A run ends in the future: a person has to decide"),
    "usage_overlap": ("运行时间互相重叠，须人工核定", "Runs overlap: a person has to decide"),
    "used_after_cancellation": ("取消后仍有使用，须人工核定", "Used although cancelled: a person has to decide"),
    "no_reservation": ("没有预约，不能按预约计费，须人工核定", "Nothing was reserved: a person has to decide"),
    "count_unknown": ("缺少计费数量，须补录", "A charged count is missing and has to be entered"),
    "energy_unknown": ("缺少用电量，须补录", "The energy is missing and has to be entered"),
    "payers_not_100": ("各付款方的比例合计不是 100 %，请改比例", "The shares of the payers do not make 100 %"),
    "local_time_missing": ("所写的当地时间不存在（时钟拨快），请改时间", "A local time does not exist (DST)"),
    "reservation_not_positive": ("预约的结束不晚于开始，请改时间", "The reservation does not end after its start"),
    "class_not_admitted": ("这类客户不能购买", "This class of customers may not buy"),
    "bands_overlap": ("两个时段折扣重叠，请改资费", "Two bands of the tariff overlap"),
    "not_finished": ("预约时间还没有结束，结束后再计费", "The reserved time is not over yet"),
}  # fmt: skip
