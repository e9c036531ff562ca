"""Work out subsidies from facts that somebody states, under two readings side by side. Stores nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext

from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.kernel.errors import InvalidInput, Refusal
from app.kernel.money import Money
from app.web.access import requires
from app.web.errors import sentence, status_of
from app.web.formats import is_english
from app.web.pages.policy import plain_answer
from app.web.simulation_form import facts_in
from billing.answering import POLICY, setting_by_number, settings_in_force
from billing.rules.facts import Facts
from billing.rules.grant import Grant
from billing.rules.grant_steps import NAMES
from billing.rules.policy import Setting, Settings, SettingValue
from billing.rules.scenario import scenario_facts
from billing.rules.subsidy import Assessment, assess
from billing.subsidy_scenarios import FORMAT

pages = Blueprint("simulation", __name__)

MOST_SCENARIOS = 100


@dataclass(frozen=True, slots=True)
class Compared:
    """One case under two readings. ``rows`` are (year, programme, payable in the first, in the second)."""

    name: str
    rows: Sequence[tuple[int, str, Grant | None, Grant | None]]
    first: Assessment
    second: Assessment

    @property
    def differs(self) -> bool:
        return any(_paid(first) != _paid(second) for _, _, first, second in self.rows)


@pages.get("/simulation")
@requires(Permission.SIMULATE)
def form() -> str:
    return _page()


@pages.post("/simulation")
@requires(Permission.SIMULATE)
def simulate() -> str | tuple[str, int]:
    """From a scenario file if one was sent, else from the form."""
    try:
        first, second = _reading("first"), _reading("second")
        return _page(found=[_compared(name, facts, own, first, second) for name, facts, own in _cases()])
    except Refusal as refusal:
        return _page(refusal=refusal), status_of(refusal)


def _cases() -> list[tuple[str, Facts, Mapping[str, object]]]:
    """Name, facts and the readings that the file itself asks for."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return [(gettext("填写的情形"), facts_in(), {})]
    scenarios = FORMAT.parsed(sent.read(), name=sent.filename)
    if len(scenarios) > MOST_SCENARIOS:
        raise InvalidInput("一次最多测算 %(most)s 个情形，请分成几个文件。", field="file", most=MOST_SCENARIOS)
    title = "title_en" if is_english() else "title_zh"
    return [(f"{one['id']} {one[title]}", scenario_facts(one), one.get("settings", {})) for one in scenarios]


def _compared(
    name: str, facts: Facts, own: Mapping[str, object], first: Mapping[str, object], second: Mapping[str, object]
) -> Compared:
    one, other = (assess(facts, _settings(own, reading), POLICY) for reading in (first, second))
    here, there = ({(each.year, each.programme): each for each in judged.grants} for judged in (one, other))
    rows = [
        (year, NAMES[programme][is_english()], here.get((year, programme)), there.get((year, programme)))
        for year, programme in sorted(here.keys() | there.keys())
    ]
    return Compared(name, rows, one, other)


def _settings(own: Mapping[str, object], reading: Mapping[str, object]) -> Settings:
    """The file's own readings over those in force, and over both the one that is looked at."""
    now = settings_in_force(db.session())
    return POLICY.settings_with({key: now.values[key] for key in now.overridden} | dict(own) | dict(reading))


def _reading(field: str) -> dict[str, object]:
    """``A02=cash_date`` as an answer; nothing for the readings in force."""
    text = request.form.get(field, "")
    if not text:
        return {}
    number, _, wanted = text.partition("=")
    setting = setting_by_number(number)
    for said, value in answers_of(setting) if setting is not None else ():
        if setting is not None and said == wanted:
            return {setting.key: value}
    raise InvalidInput("请从列出的口径中选择。", field=field)


def answers_of(setting: Setting) -> list[tuple[str, SettingValue]]:
    """Each answer to a question as the address says it. Those in many parts are not offered."""
    if isinstance(setting.options, Mapping):
        if len(setting.options) > 3:
            return []
        return [(f"{part}:{value}", {part: value}) for part, values in setting.options.items() for value in values]
    if isinstance(setting.default, str | bool) and setting.options:
        return [(str(value), value) for value in dict.fromkeys([setting.default, *setting.options])]
    return []


def _paid(grant: Grant | None) -> Money:
    return Money(0) if grant is None else grant.payable.amount


def _page(*, found: Sequence[Compared] = (), refusal: Refusal | None = None) -> str:
    choices: list[tuple[str, Any]] = [
        (
            f"{one.number}={said}",
            f"{one.number} {one.question_en if is_english() else one.question_zh} {plain_answer(one, value)}",
        )
        for one in POLICY.settings
        for said, value in answers_of(one)
    ]
    return render_template(
        "simulation.html",
        policy=POLICY,
        choices=choices,
        sent=request.form,
        found=found,
        paid=_paid,
        refused=sentence(refusal) if refusal is not None else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )
