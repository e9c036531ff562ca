"""``flask broker accounts``: who may connect, as files for a mosquitto of one's own."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app

from app.kernel.db import transaction
from app.kernel.secrets import key_for
from devices.accounts import mosquitto_passwords, mosquitto_rules
from devices.registering import wire_accounts


@click.group("broker")
def broker() -> None:
    """The broker's accounts."""


@broker.command("accounts")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def accounts(folder: Path) -> None:
    """Write password_file and acl_file for a mosquitto of your own into FOLDER.

    Write them again after each change of a meter and send that mosquitto a SIGHUP. The broker of
    'make run' needs none of this.
    """
    with transaction() as session:
        allowed = wire_accounts(session, key_for("meters", master=current_app.config["MASTER_KEY"]))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in (("passwords", mosquitto_passwords(allowed)), ("acl", mosquitto_rules(allowed))):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
        click.echo(f"{folder / name}: {len(allowed)} 个账号 / accounts")
