"""How a dossier is asked for: on its page, and in the shell."""

from __future__ import annotations

from sqlalchemy import func, select

from app.kernel.long_work import LongWork
from billing.dossier.sources import digest_carried
from tests.integration import page_world
from tests.integration.test_pages import client_of


def test_the_page_and_the_shell_say_how_to_verify_it_with_key_and_rules(app, session, tmp_path):
    world = page_world.build(session)
    client, page = client_of(app, world, "operator"), f"/subsidy/{world.platform.code}/{{}}/dossier"
    said = client.get(page.format(2026)).text
    assert f"--rules {digest_carried()}" in said
    asked = select(func.count()).select_from(LongWork).where(LongWork.kind == "dossier")
    before = session.scalar(asked)
    assert client.post(page.format(20260)).status_code == 422
    assert session.scalar(asked) == before
    file = tmp_path / "a.zip"
    run = app.test_cli_runner().invoke(args=["subsidy", "dossier", world.platform.code, "2026", str(file)])
    assert run.exit_code == 0, run.output
    assert file.is_file()
    assert f"--rules {digest_carried()}" in run.output
    assert f"verify.py {file} --key " in run.output
