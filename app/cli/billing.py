"""``flask billing price FILE``: the bills that follow from a file of scenarios. Needs no database."""

from __future__ import annotations

from pathlib import Path

from flask.cli import AppGroup

from app.cli.scenarios import calculate_file, scenario_arguments
from billing import pricing_scenarios

billing = AppGroup("billing", help="计价 / Pricing.")


@billing.command("price")
@scenario_arguments
def price_command(file: Path, as_json: bool, compare: bool) -> None:
    """按情形文件计价 / Price the scenarios of FILE.

    Exit status 1 where a result is not as expected, 2 where the file is refused.
    """
    calculate_file(pricing_scenarios, file, as_json=as_json, compare=compare)
