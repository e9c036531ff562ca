"""``flask verify seals``: whether every reading is still what was sealed."""

from __future__ import annotations

from datetime import datetime

import click
from flask import current_app

from app.kernel.clock import FACILITY_ZONE
from app.kernel.db import transaction
from app.kernel.secrets import key_for
from devices.verifying import public_key_of, readings_to_verify, verify_seals

BROKEN = 1


@click.group("verify")
def verify() -> None:
    """核对证据 / Check the evidence."""


@verify.command("seals")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="只核对这一天起的封存 / Only seals from this day on.")
@click.option("--trust", multiple=True, metavar="HEX", help="本站以前的公钥 / A public key this site had before.")
def seals(since: datetime | None, trust: tuple[str, ...]) -> None:
    """逐条重算封存的读数，核对签名和链 / Hash every sealed reading again; check chain and signatures.

    Exit status 1 where anything does not hold.
    """
    try:
        trusted = [bytes.fromhex(one) for one in trust]
    except ValueError as error:
        raise click.BadParameter("64 hexadecimal digits", param_hint="--trust") from error
    trusted.append(public_key_of(key_for("seals", master=current_app.config["MASTER_KEY"])))
    start = since and since.replace(tzinfo=FACILITY_ZONE)
    with transaction() as session:
        count = readings_to_verify(session, since=start)
        with click.progressbar(length=count, label="核对读数 / readings", show_pos=True) as bar:
            findings = verify_seals(session, trusted=trusted, since=start, told=bar.update)
    for finding in findings:
        click.echo(str(finding), err=True)
    if findings:
        click.echo(f"{len(findings)} 处不符 / do not hold", err=True)
        raise SystemExit(BROKEN)
    click.echo(f"{count} 条读数都与封存时相同 / readings are as they were sealed")
