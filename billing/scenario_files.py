"""Scenarios as files: read, and refused with the place and the remedy before anything is calculated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from app.kernel.errors import InvalidInput

Json = dict[str, Any]


class ScenarioFormat:
    """A kind of scenario file.

    Shape: ``schema`` names a file beside this one; ``contradictions`` yields (key, remedy) for what no schema can say
    of one scenario, and may raise ``InvalidInput`` with the key as its field.
    """

    def __init__(self, schema: str, contradictions: Callable[[Json], Iterator[tuple[str, str]]]) -> None:
        self._schema = Path(__file__).with_name(schema)
        self._contradictions = contradictions

    def read(self, path: Path) -> list[Json]:
        """The scenarios of a file, every one of them checked.

        Errors: ``InvalidInput`` naming the scenario, the key and the remedy, for the first thing that is wrong.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise refusal(path.name, "-", str(error)) from error
        return self.parsed(content, name=path.name)

    def parsed(self, content: bytes, *, name: str) -> list[Json]:
        """The scenarios of a file that was sent. Errors: as ``read``."""
        try:
            # A number with a fraction becomes a Decimal, which a schema takes for no integer and no text: refused.
            told = json.loads(content.decode("utf-8"), object_pairs_hook=_without_repeats, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise refusal(name, "-", str(error)) from error
        return self.checked(told)

    def checked(self, content: Any) -> list[Json]:
        """The scenarios of a file's content. Errors: as ``read``."""
        error = best_match(self._validator.iter_errors(content))
        if error is not None:
            raise _schema_refusal(content, error)
        seen: set[str] = set()
        scenarios: list[Json] = content["scenarios"]
        for scenario in scenarios:
            if scenario["id"] in seen:
                raise refusal(scenario["id"], "id", "编号重复，请改其一 / occurs twice, change one")
            seen.add(scenario["id"])
            try:
                contradiction = next(self._contradictions(scenario), None)
            except InvalidInput as wrong:
                raise refusal(scenario["id"], wrong.field or "-", str(wrong)) from wrong
            if contradiction is not None:
                raise refusal(scenario["id"], *contradiction)
        return scenarios

    @cached_property
    def _validator(self) -> Draft202012Validator:
        schema = json.loads(self._schema.read_text(encoding="utf-8"))
        return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def compare(
    results: Iterable[Json],
    scenarios: Iterable[Mapping[str, Any]],
    differences: Callable[[Json, Mapping[str, Any]], Iterable[str]],
) -> list[str]:
    """What ``differences`` finds between each result and what its scenario expects, one sentence each.

    Errors: ``InvalidInput`` if a scenario says nothing of what it expects.
    """
    by_id = {result["id"]: result for result in results}
    found: list[str] = []
    for scenario in scenarios:
        if "expect" not in scenario:
            raise refusal(scenario["id"], "expect", "没有预期结果可比对，请补上 / nothing to compare with, add it")
        found += [f"{scenario['id']}: {one}" for one in differences(by_id[scenario["id"]], scenario)]
    return found


def refusal(scenario: str, key: str, reason: str) -> InvalidInput:
    return InvalidInput(
        "情形 %(scenario)s 的 %(key)s 无法读取：%(reason)s", field=key, scenario=scenario, key=key, reason=reason
    )


def _without_repeats(pairs: list[tuple[str, Any]]) -> Json:
    """JSON lets a key stand twice and keeps the last silently; here that is an error."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"键重复 / repeated key: {next(n for n in names if names.count(n) > 1)}")
    return result


def _schema_refusal(content: Any, error: ValidationError) -> InvalidInput:
    path = list(error.absolute_path)
    scenario = "文件 / file"
    if path[:1] == ["scenarios"] and len(path) > 1:
        raw = content["scenarios"][path[1]]
        scenario = str(raw.get("id", f"#{int(path[1]) + 1}")) if isinstance(raw, dict) else f"#{int(path[1]) + 1}"
        path = path[2:]
    schema = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        path.append(next(key for key in error.instance if key not in schema.get("properties", {})))
        return refusal(scenario, _dotted(path), "未知的键，请改正拼写或删去 / unknown key, correct or remove it")
    if error.validator == "required" and isinstance(error.instance, dict):
        path.append(next(key for key in error.validator_value if key not in error.instance))
        return refusal(scenario, _dotted(path), "缺少，请补上 / missing, add it")
    if error.validator == "enum":
        choices = ", ".join(map(str, error.validator_value))
        return refusal(scenario, _dotted(path) or "-", f"只能是其中之一 / one of: {choices}")
    return refusal(scenario, _dotted(path) or "-", schema.get("description", error.message))


def _dotted(path: Iterable[str | int]) -> str:
    """``["usage", 0, "end"]`` as ``usage.0.end``."""
    return ".".join(map(str, path))
