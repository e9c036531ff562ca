"""``flask billing price FILE``: the bills that follow from a file of scenarios. Needs no database."""

from __future__ import annotations

import json
from pathlib import Path

import click
from flask.cli import AppGroup

from app.kernel.errors import InvalidInput
from billing.pricing_scenarios import check, read_scenarios, simulate, table

DIFFERS = 1
REFUSED = 2

billing = AppGroup("billing", help="计价 / Pricing.")


@billing.command("price")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出结果 / Print the results as JSON.")
@click.option("--check", "compare", is_flag=True, help="与 expect 比对 / Compare with what each scenario expects.")
def price_command(file: Path, as_json: bool, compare: bool) -> None:
    """按情形文件计价 / Price the scenarios of FILE.

    Exit status 1 where a result is not as expected, 2 where the file is refused.
    """
    try:
        scenarios = read_scenarios(file)
        results = simulate(scenarios)
        differences = check(results, scenarios) if compare else []
    except InvalidInput as refusal:
        click.echo(str(refusal), err=True)
        raise SystemExit(REFUSED) from refusal
    click.echo(json.dumps(results, ensure_ascii=False) if as_json else table(results))
    for difference in differences:
        click.echo(difference, err=True)
    if compare:
        click.echo(f"{len(scenarios)} 个情形，{len(differences)} 处不符 / differences", err=True)
    if differences:
        raise SystemExit(DIFFERS)
