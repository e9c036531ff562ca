"""``flask billing``: the bills that follow from a file of scenarios, and what waits to be charged, found anew."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from app.cli.scenarios import calculate_file, scenario_arguments
from app.kernel.db import in_transaction
from billing import pricing_scenarios
from billing.charging_queue import find_again

billing = AppGroup("billing", help="计价 / Pricing.")


@billing.command("price")
@scenario_arguments
def price_command(file: Path, as_json: bool, compare: bool) -> None:
    """按情形文件计价 / Price the scenarios of FILE. Needs no database.

    Exit status 1 where a result is not as expected, 2 where the file is refused.
    """
    calculate_file(pricing_scenarios, file, as_json=as_json, compare=compare)


@billing.command("find-uncharged")
def find_uncharged_command() -> None:
    """重新查找待计费的使用记录 / Make the list of what waits to be charged anew."""
    in_transaction(find_again)
    click.echo("待计费清单已重建，计费会照常进行。/ The list was made anew; charging goes on as usual.")
