"""What a policy document says and how it is read: dated numbers, open questions, merged answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from app.kernel.errors import InvalidInput
from app.kernel.money import RoundingMode

SettingValue = str | bool | Sequence[str] | Mapping[str, str | bool | None]
_WORDS = {"True": ("是", "yes"), "False": ("否", "no"), "None": ("无", "none")}
_FEW = 4  # an answer in more parts is said by what the parts have in common


@dataclass(frozen=True, slots=True)
class DatedValue:
    """A number of the text. It holds from its first day until the next value of the same key begins.

    Units:  ``unit`` says: a share of one, yuan, calendar years, parts, square metres.
    Source: ``clause`` of the document at ``reference``.
    """

    key: str
    value: Decimal
    first_day: date
    unit: str
    clause: str
    reference: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Setting:
    """An open question of the text: the answer we start with, the answers that can be calculated, and why.

    ``options`` holds every value the engine can work with. A setting that is an object names its
    options per part. Without options the reading is fixed and shown for information.
    ``other_readings`` are known but not calculated. ``words`` say the stored answers and their parts,
    in Chinese and in English.
    """

    key: str
    default: SettingValue
    question_zh: str
    question_en: str
    why_zh: str
    why_en: str
    options: Sequence[SettingValue] | Mapping[str, Sequence[str | bool]] = ()
    other_readings: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """``A02`` of ``A02_revenue_basis``."""
        return self.key[:3]

    def said(self, value: SettingValue | None, *, english: bool = False) -> str:
        """An answer, one of its parts or several of them in words, as one line."""
        between, colon, comma = ("; ", ": ", ", ") if english else ("；", "：", "、")
        if isinstance(value, Mapping):
            parts = {self._word(name, english): self.said(part, english=english) for name, part in value.items()}
            if len(parts) <= _FEW:
                return between.join(f"{name}{colon}{answer}" for name, answer in parts.items())
            alike = {answer: [name for name in parts if parts[name] == answer] for answer in parts.values()}
            return between.join(f"{answer}{colon}{comma.join(names)}" for answer, names in alike.items())
        if isinstance(value, str | bool | None):
            return self._word(str(value), english)
        return comma.join(self.said(one, english=english) for one in value)

    def _word(self, stored: str, english: bool) -> str:
        return (self.words.get(stored) or _WORDS.get(stored, (stored, stored)))[english]


@dataclass(frozen=True, slots=True)
class Settings:
    """One answer to every open question. ``overridden`` are the keys that differ from the default."""

    values: Mapping[str, SettingValue]
    overridden: frozenset[str] = frozenset()

    def text(self, key: str) -> str:
        value = self.values[key]
        if not isinstance(value, str):
            raise TypeError(f"{key} is not a word")
        return value

    def flag(self, key: str) -> bool:
        value = self.values[key]
        if not isinstance(value, bool):
            raise TypeError(f"{key} is not yes or no")
        return value

    def part(self, key: str, name: str) -> str | bool | None:
        value = self.values[key]
        if not isinstance(value, Mapping):
            raise TypeError(f"{key} has no parts")
        return value[name]

    @property
    def rounding(self) -> RoundingMode:
        """How a share of a sum is brought to the fen (A12)."""
        return "truncate" if self.part("A12_rounding", "mode") == "truncate" else "half_up"

    def names(self, key: str) -> tuple[str, ...]:
        value = self.values[key]
        if isinstance(value, str | bool | Mapping):
            raise TypeError(f"{key} is not a list")
        return tuple(value)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who bears a part of a grant. ``key`` ends the key of its parts (``split.…``) and names it in files."""

    key: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy document. ``in_force_to`` is ``None`` while it is open.

    ``upper`` bears its part of what is split; ``own``, whose document it is, bears the rest and what is not split.
    """

    number: str
    title_zh: str
    title_en: str
    issued_on: date
    in_force_from: date
    in_force_to: date | None
    reference: str
    values: tuple[DatedValue, ...]
    settings: tuple[Setting, ...]
    upper: Bearer
    own: Bearer

    def dated_value(self, key: str, *, on: date) -> DatedValue:
        """The value of ``key`` on a day. Before its first day, the first one that was ever set.

        Errors: ``KeyError`` if the policy never had such a value.
        """
        versions = sorted((v for v in self.values if v.key == key), key=lambda v: v.first_day)
        if not versions:
            raise KeyError(f"{self.number} has no value {key}")
        return ([v for v in versions if v.first_day <= on] or versions[:1])[-1]

    def value(self, key: str, *, on: date) -> Decimal:
        return self.dated_value(key, on=on).value

    def in_force_during(self, year: int) -> bool:
        """Whether at least one day of ``year`` lies in the time the document is in force."""
        ends = self.in_force_to
        return self.in_force_from <= date(year, 12, 31) and (ends is None or ends >= date(year, 1, 1))

    def settings_with(self, overrides: Mapping[str, object]) -> Settings:
        """The defaults with some answers replaced; an answer with parts is merged part by part.

        Errors: ``InvalidInput`` naming the key, where it is unknown or cannot be answered that way.
        """
        known = {setting.key: setting for setting in self.settings}
        values: dict[str, SettingValue] = {setting.key: setting.default for setting in self.settings}
        for key, given in overrides.items():
            if key not in known:
                raise InvalidInput("政策没有 %(key)s 这一口径", field=key, key=key)
            values[key] = _answer(known[key], given)
        changed = frozenset(key for key in overrides if values[key] != known[key].default)
        return Settings(values, changed)


def _answer(setting: Setting, given: object) -> SettingValue:
    """``given`` as an answer to ``setting``."""
    refused = InvalidInput(
        "%(key)s 不能取 %(given)s", field=setting.key, key=setting.key, given=str(given), options=setting.options
    )
    default = setting.default
    if (tuple(given) if isinstance(given, list) else given) == default:
        return default
    if isinstance(default, Mapping):
        if not isinstance(given, Mapping) or not isinstance(setting.options, Mapping):
            raise refused
        if any(part not in default for part in given):
            raise refused
        changed = {part: value for part, value in given.items() if value != default[part]}
        if any(value not in setting.options.get(part, ()) for part, value in changed.items()):
            raise refused
        return {**default, **changed}
    if isinstance(default, str | bool):
        if not isinstance(given, str | bool) or given not in (default, *setting.options):
            raise refused
        return given
    if isinstance(given, str | bool | Mapping) or not isinstance(given, Sequence):
        raise refused
    if any(name not in setting.options for name in given) or len(set(given)) != len(given):
        raise refused
    return tuple(given)
