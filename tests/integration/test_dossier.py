from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import select, text

from app.catalogue.models import Platform
from app.demo import seed_demo
from app.identity.models import Person
from app.kernel.money import Money
from billing.answering import answer
from billing.correcting import credit
from billing.dossier import writing
from billing.dossier.pricing_again import charged_of
from billing.dossier.sources import digest_carried
from billing.paying import record_payment
from billing.recognizing import recognize_revenue
from devices.sealing import seal_readings
from devices.verifying import public_key_of
from tests.conftest import running_app
from tests.integration import forging, insider, tampering
from tests.integration.dossier_world import KEY, YEAR_OVER, DossierWorld, written

VERIFIER = Path(__file__).resolve().parents[2] / "billing" / "dossier" / "verify.py"
OTHER_KEY = bytes(32)


def by_stranger(dossier: Path, folder: Path, *more: str, key: bytes | None = public_key_of(KEY)) -> tuple[int, str]:
    """What the verifier says on a machine that has Python and ``cryptography`` and nothing of ours."""
    alone = folder / "alone"
    alone.mkdir(exist_ok=True)
    (alone / "verify.py").write_bytes(VERIFIER.read_bytes())
    asked = [] if key is None else ["--key", key.hex()]
    command = [sys.executable, "-I", "verify.py", str(dossier), *asked, *more]
    run = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False)
    assert not run.stderr, run.stderr
    return run.returncode, run.stdout


@pytest.fixture(scope="module")
def made(new_database, tmp_path_factory) -> tuple[Path, list[str]]:
    """The dossier of a small claim, and how the people of that world are called."""
    from app.kernel.db import db

    folder = tmp_path_factory.mktemp("dossier")
    with running_app(new_database(), folder / "app"):
        session = db.session()
        world = DossierWorld(session)
        for _ in range(3):
            world.used()
        world.invoiced()
        world.seal()
        people = [word for one in session.scalars(select(Person)) for word in (one.name, one.email)]
        return written(session, world.platform.id, folder), people


@pytest.fixture
def members(made) -> forging.Members:
    return forging.members_of(made[0])


def test_a_stranger_finds_the_subsidy_again_from_the_readings_up(made, tmp_path):
    code, said = by_stranger(made[0], tmp_path)
    assert code == 0, said
    assert "2037.74 yuan" in said
    assert "6792.48 yuan        9 lines  metered, down to sealed readings" in said
    assert "363 readings" in said
    assert "proved down to sealed readings: 100.00 %" in said
    assert "WARNING" not in said
    assert by_stranger(made[0], tmp_path, "--strict")[0] == 0


def test_without_a_key_that_is_trusted_nothing_is_verified(made, tmp_path):
    code, said = by_stranger(made[0], tmp_path, key=None)
    assert code == 3
    assert "signed by its own key only" in said
    assert "Everything holds" not in said
    assert "yuan" not in said


def test_the_rules_and_a_seal_can_be_named_by_who_verifies(made, members, tmp_path):
    seal = json.loads(members["seals.jsonl"].splitlines()[-1])["hash"]
    code, said = by_stranger(made[0], tmp_path, "--rules", digest_carried(), "--seal", seal)
    assert code == 0, said
    assert digest_carried() in said
    assert seal in said
    code, said = by_stranger(made[0], tmp_path, "--rules", "00" * 32)
    assert (code, "sources/: the rules" in said, "policy:" in said) == (1, True, False), said
    code, said = by_stranger(made[0], tmp_path, "--seal", "00" * 32)
    assert (code, "the seal that was given" in said) == (1, True), said


def test_the_claim_can_be_read_and_its_tables_opened(members):
    pages = "".join(page.extract_text() for page in PdfReader(io.BytesIO(members["claim.pdf"])).pages)
    for words in ("补助申报说明", "2,037.74", "6,792.48", "A02", "363"):
        assert words in pages, words
    assert members["tables/lines.csv"].decode("utf-8-sig").count("\n") == 10
    assert zipfile.is_zipfile(io.BytesIO(members["tables.xlsx"]))


def unpacked(members: forging.Members):
    """Everything that can be read of a dossier, packed or not."""
    for name, content in members.items():
        yield name, content
        if name.endswith(".gz"):
            yield name, gzip.decompress(content)
        elif name.endswith(".xlsx"):
            with zipfile.ZipFile(io.BytesIO(content)) as book:
                yield from ((name, book.read(one)) for one in book.namelist())
        elif name.endswith(".pdf"):
            yield name, "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).encode()


def test_nobody_is_named_in_it(made, members):
    assert len(made[1]) >= 4
    for name, content in unpacked(members):
        for word in made[1]:
            assert word.encode() not in content, (name, word)


@pytest.mark.parametrize(
    ("forge", "member", "names"), tampering.FORGERIES, ids=[forge.__name__ for forge, _, _ in tampering.FORGERIES]
)
def test_the_verifier_names_what_was_changed(members, tmp_path, forge, member, names):
    forged = forge(members)
    assert forged[member] != members[member]
    code, said = by_stranger(forging.written_to(tmp_path / "a.zip", forged), tmp_path)
    assert code == 1, said
    assert "its SHA-256 as in manifest.json" in said, said
    code, said = by_stranger(forging.written_to(tmp_path / "b.zip", forging.hashed_again(forged)), tmp_path)
    assert (code, "the signature of manifest.json" in said) == (1, True), said
    # Even who has the key cannot make it hold: what is changed does not follow from the rest.
    code, said = by_stranger(forging.written_to(tmp_path / "c.zip", forging.signed_again(forged, KEY)), tmp_path)
    assert code == 1, said
    for words in names:
        assert words in said, said


def test_another_key_is_named_with_and_without_the_right_one(members, tmp_path):
    forged = forging.written_to(
        tmp_path / "forged.zip", forging.signed_again(tampering.a_claimed_amount(members), OTHER_KEY)
    )
    code, said = by_stranger(forged, tmp_path)
    assert (code, "manifest.sig: the key" in said) == (1, True), said
    code, said = by_stranger(forged, tmp_path, key=None)
    assert (code, "Everything holds" in said) == (3, False), said
    other = public_key_of(OTHER_KEY)
    code, said = by_stranger(forged, tmp_path, key=other)  # the seals are still the house's
    assert (code, "seal 1, its key" in said) == (1, True), said


def judged_and_signed(forge, members) -> forging.Members:
    return forging.signed_again(forging.judged_again(forge(members, KEY)), KEY)


@pytest.mark.parametrize(("forge", "names"), insider.FOLLOWS_NOT, ids=[one.__name__ for one, _ in insider.FOLLOWS_NOT])
def test_what_does_not_follow_is_named_though_who_has_the_key_made_it(members, tmp_path, forge, names):
    forged = judged_and_signed(forge, members)
    code, said = by_stranger(forging.written_to(tmp_path / "forged.zip", forged), tmp_path)
    assert code == 1, said
    for words in names:
        assert words in said, said


@pytest.mark.parametrize(
    ("forge", "names"), insider.SAYS_OTHERWISE, ids=[one.__name__ for one, _ in insider.SAYS_OTHERWISE]
)
def test_what_people_read_is_what_was_verified(members, tmp_path, forge, names):
    forged = forging.signed_again(forge(members, KEY), KEY)
    code, said = by_stranger(forging.written_to(tmp_path / "forged.zip", forged), tmp_path)
    assert code == 1, said
    for words in names:
        assert words in said, said


@pytest.mark.parametrize(("forge", "names"), insider.ONLY_STATED, ids=[one.__name__ for one, _ in insider.ONLY_STATED])
def test_what_is_only_stated_is_said_and_does_not_hold_strictly(members, tmp_path, forge, names):
    file = forging.written_to(tmp_path / "forged.zip", judged_and_signed(forge, members))
    code, said = by_stranger(file, tmp_path)
    assert code == 0, said
    for words in names:
        assert words in said, said
    assert by_stranger(file, tmp_path, "--strict")[0] == 1


def test_what_is_odd_before_any_signature_is_refused_and_costs_nothing(made, members, tmp_path):
    file = tmp_path / "odd.zip"
    whole = made[0].read_bytes()
    for content in (b"#!/bin/sh\n" + whole, whole[:-2] + b"\4\0P2 9", whole + b"P2 9"):
        file.write_bytes(content)
        code, said = by_stranger(file, tmp_path)
        assert code in (1, 2), said
        assert "holds  " not in said.replace("not hold  ", "")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as archive, archive.open("manifest.json", "w") as out:
        out.write(bytes(32 << 20))
    code, said = by_stranger(file, tmp_path)
    assert (code, "manifest.json: how it is packed" in said) == (1, True), said
    for signature in (
        b"[]",
        b"[" * 4000,
        b'{"public_key": 5, "signature": 1}',
        b'{"public_key": "zz", "signature": "1"}',
    ):
        code, said = by_stranger(forging.written_to(file, {**members, "manifest.sig": signature}), tmp_path)
        assert (code, "cannot be read" in said) == (2, True), said
    listed = forging.signed(b"[1]", KEY)
    code, said = by_stranger(forging.written_to(file, {**members, "manifest.json": b"[1]", **listed}), tmp_path)
    assert (code, "cannot be read" in said) == (2, True), said


def test_hostile_files_are_refused_and_nothing_of_them_is_run_or_unpacked(members, tmp_path):
    trap = tmp_path / "alone" / "trapped"
    code = f"open({str(trap)!r}, 'w')\n".encode()
    evil = {**members, "sources/app/kernel/money.py": code + members["sources/app/kernel/money.py"]}
    outside = {**members, "../outside.txt": b"x"}
    bomb = {**members, "manifest.json": bytes(65 << 20)}
    for forged, names in (
        (evil, "sources/app/kernel/money.py: its SHA-256"),
        (forging.hashed_again(evil), "the signature of manifest.json"),
        (outside, "../outside.txt: whether it belongs here"),
        ({name: one for name, one in members.items() if name != "seals.jsonl"}, "seals.jsonl: whether it belongs here"),
        (bomb, "manifest.json: its size"),
    ):
        status, said = by_stranger(forging.written_to(tmp_path / "hostile.zip", forged), tmp_path)
        assert (status, names in said) == (1, True), said
    twice = zipfile.ZipFile(forging.written_to(tmp_path / "twice.zip", members), "a")
    with twice, pytest.warns(UserWarning, match="Duplicate name"):
        twice.writestr("claim.json", members["claim.json"])
    assert by_stranger(tmp_path / "twice.zip", tmp_path)[0] == 1
    whole = (tmp_path / "hostile.zip").read_bytes()
    for broken in (b"", b"PK", whole[: len(whole) // 2]):
        (tmp_path / "broken.zip").write_bytes(broken)
        assert by_stranger(tmp_path / "broken.zip", tmp_path)[0] == 2
    assert not trap.exists()
    assert not (tmp_path / "outside.txt").exists()


def test_the_writer_says_of_a_case_that_its_charges_do_not_follow(members):
    case = forging.told_in(members, forging.CASES)[0]
    known = {one["id"] for one in case["sessions"]}
    assert {charge["basis"] for _, charge in charged_of(case, known)} == {"metered"}
    late = case | {"accepted": [case["sessions"][0] | {"session": case["sessions"][0]["id"], "energy_mwh": 1}]}
    assert {charge["basis"] for _, charge in charged_of(late, known)} == {"metered"}  # accepted after it
    assert late["accepted"] == []
    again = case["charges"][0] | {"id": 7000, "position": 9, "again_of": case["charges"][0]["id"]}
    anew = charged_of(case | {"charges": [*case["charges"], again]}, known)
    assert [charge["basis"] for _, charge in anew] == ["metered"] * len(case["charges"]) + ["corrected"]
    case["charges"][0]["net"] = "1.00"
    assert {charge["basis"] for _, charge in charged_of(case, known)} == {"unexplained"}
    assert case["not_again"]


def test_a_dossier_that_would_not_hold_is_not_written_and_says_why(session, tmp_path):
    world = DossierWorld(session)
    world.used()
    world.invoiced()
    world.seal()
    session.execute(text("SET LOCAL session_replication_role = replica"))  # somebody with the database in his hands
    session.execute(text("UPDATE invoice SET number = 2"))
    session.execute(text("SET LOCAL session_replication_role = origin"))
    session.expire_all()
    with pytest.raises(AssertionError, match=r"HX-DOSSIER-2026-000001.*every number up to HX-DOSSIER-2026-000002"):
        written(session, world.platform.id, tmp_path / "dossiers")
    assert list((tmp_path / "dossiers").iterdir()) == []


@pytest.fixture(scope="module")
def credited(new_database, tmp_path_factory) -> tuple[Path, Path]:
    """Two invoices and a credit note on the first, paid in part: by date of invoice, and by cash."""
    from app.kernel.db import db

    folder = tmp_path_factory.mktemp("credited")
    with running_app(new_database(), folder / "app"):
        session = db.session()
        world = DossierWorld(session)
        world.used()
        first = world.invoiced()
        world.runs += 4 * 30  # a month later
        world.used()
        second = world.invoiced(month=date(2026, 7, 1), at=YEAR_OVER.replace(year=2026, month=8))
        world.seal()
        given = {"by": world.finance.id, "at": YEAR_OVER.replace(year=2026, month=12)}
        credit(session, first.id, amounts={first.lines[0].id: Money.of("10.60")}, reason="示例", **given)
        recognize_revenue(session, at=YEAR_OVER)
        for invoice, paid in ((first, "500.00"), (second, "300.00")):
            amount, on = Money.of(paid), date(2026, 9, 1)
            record_payment(session, invoice.id, paid_on=on, amount=amount, reference="示例", **given)
        session.expire_all()
        by_invoice = shutil.copy(written(session, world.platform.id, folder), folder / "by_invoice.zip")
        answer(session, "A02_revenue_basis", "cash_date", reason="示例", **given)
        return by_invoice, written(session, world.platform.id, folder)


def test_credit_notes_stand_behind_their_invoices_and_revenue_by_cash_holds(credited, tmp_path):
    by_invoice, by_cash = credited
    numbers = [one["no"] for one in forging.told_in(forging.members_of(by_invoice), forging.DOCUMENTS)]
    assert numbers == [f"HX-DOSSIER-2026-{number:06d}" for number in (1, 3, 2)]
    code, said = by_stranger(by_invoice, tmp_path)
    assert (code, "-10.00 yuan        1 lines  credit notes" in said) == (0, True), said
    code, said = by_stranger(by_cash, tmp_path)
    assert code == 0, said
    assert "not the default reading of the policy: A02_revenue_basis = cash_date" in said


@pytest.mark.parametrize(
    ("forge", "names"), insider.TAKES_BACK_LESS, ids=[one.__name__ for one, _ in insider.TAKES_BACK_LESS]
)
def test_a_credit_note_takes_back_what_it_says(credited, tmp_path, forge, names):
    forged = judged_and_signed(forge, forging.members_of(credited[0]))
    code, said = by_stranger(forging.written_to(tmp_path / "forged.zip", forged), tmp_path)
    assert code == 1, said
    for words in names:
        assert words in said, said


def test_nothing_that_is_told_moves_the_cursor_of_who_reads(members, tmp_path):
    name = "示例\x1b[2J\x1b[H\nP2 2026  3000000.00 yuan\x9b"
    forged = forging.with_facts(members, lambda facts: facts["platform"].update(name=name))
    for member in ("claim.json", "manifest.json"):
        forged = forging.with_json(forged, member, lambda told: told.update(platform=name))
    code, said = by_stranger(forging.written_to(tmp_path / "a.zip", judged_and_signed(lambda *_: forged, {})), tmp_path)
    assert (code, "示例?[2J?[H?P2" in said) == (0, True), said
    assert not set(said) & {"\x1b", "\x9b"}


def test_the_dossier_of_the_sample_world_holds_and_names_nobody(session, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "MOST_CASES", 5)
    monkeypatch.setattr(writing, "MOST_LINES", 7)
    assert seed_demo(session, at=datetime(2026, 11, 25, 4, tzinfo=UTC))
    while seal_readings(session, at=YEAR_OVER, key=KEY):
        pass
    platform = session.scalars(select(Platform).where(Platform.code == "hx-textile")).one()
    file = written(session, platform.id, tmp_path)
    people = [word for one in session.scalars(select(Person)) for word in (one.name, one.email)]
    assert len(people) > 6
    for name, content in unpacked(forging.members_of(file)):
        for word in people:
            assert word.encode() not in content, (name, word)
    code, said = by_stranger(file, tmp_path)
    assert code == 0, said
    assert "metered, down to sealed readings" in said
    assert "cases/000003.jsonl" in forging.members_of(file)
    written(session, platform.id, tmp_path)
    assert not file.exists()  # the new one takes its place
