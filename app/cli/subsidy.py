"""``flask subsidy simulate FILE``: what follows from a file of scenarios; ``dossier``: the evidence of a year."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy import select

from app.catalogue.models import Platform
from app.cli.scenarios import calculate_file, scenario_arguments
from app.jobs import dossier_house
from app.kernel import clock
from app.kernel.db import transaction
from app.kernel.errors import NotFound, Refusal
from billing import subsidy_scenarios
from billing.dossier.sources import digest_carried
from billing.dossier.writing import ask_for, go_on, keep_as
from devices.verifying import public_key_of

subsidy = AppGroup("subsidy", help="补助测算 / Subsidy calculations.")


@subsidy.command("simulate")
@scenario_arguments
def simulate_command(file: Path, as_json: bool, compare: bool) -> None:
    """按情形文件测算补助 / Calculate the scenarios of FILE.

    Exit status 1 where a result is not as expected, 2 where the file is refused.
    """
    calculate_file(subsidy_scenarios, file, as_json=as_json, compare=compare)


@subsidy.command("dossier")
@click.argument("code")
@click.argument("year", type=int)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def dossier_command(code: str, year: int, file: Path) -> None:
    """生成平台一年的证据包 / Write the dossier of platform CODE for YEAR to FILE, and say how to verify it.

    Exit status 2 where it is refused, with the reason.
    """
    house = dossier_house()
    try:
        with transaction() as session:
            platform_id = session.scalar(select(Platform.id).where(Platform.code == code))
            if platform_id is None:
                raise NotFound("没有平台 %(code)s。", code=code)
            work_id = ask_for(session, platform_id, year, by=None, at=clock.now())
        with click.progressbar(length=0, label=f"{code} {year}", show_pos=True) as bar:
            going_on = True
            while going_on:
                with transaction() as session:
                    going_on, done, total = go_on(session, work_id, house=house, at=clock.now())
                bar.length = total
                bar.update(done - bar.pos)
        with transaction() as session:
            keep_as(session, work_id, file, house=house)
    except Refusal as refusal:
        raise click.UsageError(str(refusal)) from refusal
    click.echo(f"{file} ({file.stat().st_size} bytes)")
    click.echo(f"python verify.py {file} --key {public_key_of(house.key).hex()} --rules {digest_carried()}")
