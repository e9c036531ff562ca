"""What the commands that calculate a file of scenarios have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from app.kernel.errors import InvalidInput

DIFFERS = 1
REFUSED = 2


def scenario_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    """``FILE [--json] [--check]``."""
    for argument in (
        click.option(
            "--check", "compare", is_flag=True, help="与 expect 比对 / Compare with what each scenario expects."
        ),
        click.option("--json", "as_json", is_flag=True, help="以 JSON 输出结果 / Print the results as JSON."),
        click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    ):
        command = argument(command)
    return command


def calculate_file(kind: ModuleType, file: Path, *, as_json: bool, compare: bool) -> None:
    """Print what follows from ``file``; ``kind`` is a module with FORMAT, simulate, check and table.

    Exit status 1 where a result is not as expected, 2 where the file is refused.
    """
    try:
        scenarios = kind.FORMAT.read(file)
        results = kind.simulate(scenarios)
        differences = kind.check(results, scenarios) if compare else []
    except InvalidInput as refused:
        click.echo(str(refused), err=True)
        raise SystemExit(REFUSED) from refused
    click.echo(json.dumps(results, ensure_ascii=False) if as_json else kind.table(results))
    for difference in differences:
        click.echo(difference, err=True)
    if compare:
        click.echo(f"{len(scenarios)} 个情形，{len(differences)} 处不符 / differences", err=True)
    if differences:
        raise SystemExit(DIFFERS)
