"""Valid terms and facts for the tests of pricing: made by hand, or by hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from app.kernel.interval import Interval
from billing.rules.pricing.facts import Booked, Run, UseFacts
from billing.rules.pricing.terms import Terms, Unit, read_terms

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
EVENING = {"days": DAYS, "from": "17:00", "to": "21:00", "percent_off": "20"}


def terms(**changes) -> Terms:
    """60 yuan an hour by use; ``changes`` replace keys, ``...`` takes one away."""
    given = {"charge_mode": "usage", "unit": "hour", "rate": "60.00", **changes}
    return read_terms({key: value for key, value in given.items() if value is not ...})


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """A local time on 16 June 2026, a Tuesday, unless a date precedes it."""
    return datetime.fromisoformat(text if "T" in text else f"2026-06-16T{text}").replace(tzinfo=zone).astimezone(UTC)


def span(start: str, end: str, zone: ZoneInfo = SHANGHAI) -> Interval:
    return Interval(at(start, zone), at(end, zone))


def run(start: str, end: str, *, wh: int | None = None, zone: ZoneInfo = SHANGHAI, **counts) -> Run:
    energy = None if wh is None else Decimal(wh)
    return Run(at(start, zone), at(end, zone), energy, {Unit(unit): Decimal(n) for unit, n in counts.items()})


def used(of: Terms, *runs: Run, zone: ZoneInfo = SHANGHAI, booked: Interval | Booked | None = None, **more) -> UseFacts:
    reservation = Booked(booked) if isinstance(booked, Interval) else booked
    return UseFacts(of, zone, reservation=reservation, runs=runs, **more)


decimals = st.builds(lambda n, places: f"{Decimal(n).scaleb(-places):f}", st.integers(0, 10**6), st.integers(0, 4))
positive = st.builds(lambda n, places: f"{Decimal(n).scaleb(-places):f}", st.integers(1, 10**5), st.integers(0, 3))
monies = st.integers(0, 10**6).map(lambda fen: f"{Decimal(fen).scaleb(-2):.2f}")
vat_rates = st.sampled_from(["0.00", "0.06", "0.13", "0.2333"])
clocks = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02d}:{quarter % 4 * 15:02d}")


@st.composite
def bands(draw):
    """Up to three bands of one set of days, none overlapping."""
    edges = sorted(draw(st.sets(clocks, min_size=2, max_size=6)))
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True))
    off = st.sampled_from(["0", "12.5", "20", "33.333", "100"])
    return [
        {"days": days, "from": start, "to": end, "percent_off": draw(off)}
        for start, end in zip(edges[::2], edges[1::2], strict=False)
    ]


@st.composite
def tiers(draw):
    if draw(st.integers(0, 2)) == 0:
        return {"kind": "package", "package_size": draw(positive), "package_price": draw(monies)}
    bounds = sorted(draw(st.sets(st.integers(1, 40), max_size=3)))
    steps = []
    for bound in [*bounds, None]:
        step = {"up_to": None if bound is None else f"{Decimal(bound) / 4:f}", "rate": draw(decimals)}
        step |= draw(st.fixed_dictionaries({}, optional={"flat": monies, "support_per_unit": decimals}))
        steps.append(step)
    return {"kind": draw(st.sampled_from(["graduated", "volume"])), "steps": steps}


@st.composite
def tariffs(draw):
    """The JSON of valid terms, every key in play."""
    unit = draw(st.sampled_from(["hour", "hour", "day", "run", "batch", "sample", "kg", "m", "kWh"]))
    mode = draw(st.sampled_from(["reservation", "usage", "overage", "union"]))
    given = {"charge_mode": mode, "unit": unit}
    given |= {"tiers": draw(tiers())} if draw(st.booleans()) else {"rate": draw(decimals)}
    optional = {
        "minimum_charge": monies,
        "setup_fee": monies,
        "support_per_unit": decimals,
        "vat_rate": vat_rates,
        "price_includes_vat": st.booleans(),
        "customer_class_rates": st.dictionaries(st.sampled_from(["internal", "sme"]), st.none() | decimals),
        "urgent": st.fixed_dictionaries({"notice_minutes": st.integers(1, 3000), "percent": decimals}),
        "cancellation": st.fixed_dictionaries(
            {"free_until_minutes_before": st.integers(0, 3000)},
            optional={"fee": monies, "percent_of_price": decimals, "vat_rate": vat_rates},
        ),
        "no_show": st.fixed_dictionaries(
            {"grace_minutes": st.integers(0, 120)},
            optional={
                "fee": monies,
                "percent_of_price": decimals,
                "vat_rate": vat_rates,
                "waive_if_slot_reused": st.booleans(),
            },
        ),
        "extras": st.lists(extras(), max_size=3),
    }
    if unit == "hour":
        optional["bands"] = bands()
        if draw(st.booleans()):
            given["increment_minutes"] = draw(st.integers(1, 90))
            given["increment_rounding"] = draw(st.sampled_from(["up", "nearest", "none"]))
    elif unit != "day":
        optional |= {"free_quantity": decimals, "quantity_step": positive}
    if mode in ("usage", "union") or unit not in ("hour", "day"):
        optional |= {"lead_minutes": st.integers(0, 30), "post_minutes": st.integers(0, 30)}
    return given | draw(st.fixed_dictionaries({}, optional=optional))


def extras():
    others = (
        st.sampled_from(["material", "sample", "energy"]),
        st.sampled_from(["run", "booking", "sample", "kg", "kWh"]),
    )
    kinds = st.tuples(*others) | st.tuples(st.just("labour"), st.sampled_from(["hour", "run", "booking"]))
    return st.builds(
        lambda kind, more: {"kind": kind[0], "unit": kind[1], **more},
        kinds,
        st.fixed_dictionaries(
            {"rate": decimals},
            optional={
                "free_quantity": decimals,
                "quantity_step": positive,
                "vat_rate": vat_rates,
                "name_zh": st.sampled_from(["", "氮气"]),
            },
        ),
    )


FIRST = datetime(2026, 10, 24, 12, tzinfo=UTC)
moments = st.integers(0, 3 * 86400).map(lambda seconds: FIRST + timedelta(seconds=seconds))
counts = st.dictionaries(st.sampled_from([Unit.BATCH, Unit.SAMPLE, Unit.KG, Unit.M]), decimals.map(Decimal))
full_counts = st.fixed_dictionaries({u: decimals.map(Decimal) for u in (Unit.BATCH, Unit.SAMPLE, Unit.KG, Unit.M)})
intervals = st.builds(lambda a, n: Interval(a, a + timedelta(seconds=n)), moments, st.integers(1, 40000))


@st.composite
def runs(draw, *, apart: bool = False):
    """Up to four runs; ``apart`` ones do not overlap and tell everything."""
    if not apart:
        some = st.builds(
            Run, moments, st.none() | moments, st.none() | st.integers(0, 10**7).map(Decimal), counts | full_counts
        )
        return tuple(draw(st.lists(some, max_size=4)))
    number = draw(st.integers(1, 4))
    edges = sorted(draw(st.sets(st.integers(0, 3 * 86400), min_size=2 * number, max_size=2 * number)))
    return tuple(
        Run(FIRST + timedelta(seconds=start), FIRST + timedelta(seconds=end), Decimal(draw(st.integers(0, 10**7))),
            draw(full_counts))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    )  # fmt: skip


def reservations():
    whole = st.builds(
        lambda start, quarters: Interval(start, start + timedelta(minutes=15 * quarters)),
        st.integers(0, 200).map(lambda n: FIRST + timedelta(minutes=15 * n)),
        st.integers(1, 200),
    )
    return st.builds(Booked, whole, st.none() | moments, st.booleans(), st.none() | moments, st.none() | moments)


def facts(*, of=None, runs_of=None):
    """Any valid facts, in a zone that puts its clocks back in between or in one that does not."""
    return st.builds(
        UseFacts,
        of if of is not None else tariffs().map(read_terms),
        st.sampled_from([SHANGHAI, BERLIN]),
        st.sampled_from(["other", "internal", "sme"]),
        st.none() | reservations(),
        runs_of if runs_of is not None else st.none() | runs() | runs(apart=True),
        st.lists(intervals, max_size=2).map(tuple),
        st.lists(intervals, max_size=2).map(tuple),
        decimals.map(Decimal),
        st.none() | moments,
    )
