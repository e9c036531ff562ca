"""``flask subsidy simulate FILE``: what follows from a file of scenarios. Needs no database."""

from __future__ import annotations

from pathlib import Path

from flask.cli import AppGroup

from app.cli.scenarios import calculate_file, scenario_arguments
from billing import subsidy_scenarios

subsidy = AppGroup("subsidy", help="补助测算 / Subsidy calculations.")


@subsidy.command("simulate")
@scenario_arguments
def simulate_command(file: Path, as_json: bool, compare: bool) -> None:
    """按情形文件测算补助 / Calculate the scenarios of FILE.

    Exit status 1 where a result is not as expected, 2 where the file is refused.
    """
    calculate_file(subsidy_scenarios, file, as_json=as_json, compare=compare)
