from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from app.catalogue.models import Platform
from app.demo import seed_demo
from app.identity.models import Person
from billing.dossier import writing
from billing.dossier.sources import digest_carried
from devices.sealing import seal_readings
from devices.verifying import public_key_of
from tests.conftest import running_app
from tests.integration import forging, insider
from tests.integration.dossier_world import KEY, YEAR_OVER, DossierWorld, written

VERIFIER = Path(__file__).resolve().parents[2] / "billing" / "dossier" / "verify.py"
OTHER_KEY = bytes(32)
READINGS, CASES = "readings/000001.gz", "cases/000001.jsonl"


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


def a_reading(members):
    """One power is another one, in the row alone."""

    def change(block):
        rows = [row.replace(b"|817500|", b"|917500|") if at == 4 else row for at, row in enumerate(block.rows)]
        return replace(block, rows=rows)

    return forging.with_block(members, lambda block: change(_with_power(block)))


def _with_power(block):
    """The fifth row says 817.5 W, whatever it was: so the forgeries have something to change."""
    parts = block.rows[4].split(b"|")
    return replace(block, rows=[*block.rows[:4], b"|".join([*parts[:4], b"1", *parts[5:]]), *block.rows[5:]])


def a_reading_with_its_message(members):
    def change(block):
        number = block.rows[4].split(b"|")[2]
        rows, messages, first = list(block.rows), list(block.messages), 0
        for at, message in enumerate(messages):
            if first <= 4 < first + message.readings:
                told = json.loads(message.payload)
                one = next(one for one in told["readings"] if one["seq"] == int(number))
                one["energy_wh"] += 1000
                messages[at] = replace(message, payload=json.dumps(told).encode())
            first += message.readings
        parts = rows[4].split(b"|")
        rows[4] = b"|".join([*parts[:5], str(int(parts[5]) + 1_000_000).encode(), *parts[6:]])
        return replace(block, rows=rows, messages=messages)

    return forging.with_block(members, change)


def two_readings_swapped(members):
    def change(block):
        rows = list(block.rows)
        rows[2], rows[3] = rows[3], rows[2]
        return replace(block, rows=rows)

    return forging.with_block(members, change)


def two_places_swapped(members):
    def change(block):
        places = list(block.places)
        places[0], places[1] = places[1], places[0]
        return replace(block, places=places)

    return forging.with_block(members, change)


def a_proof(members):
    def change(parts):
        at = next(at for at, part in enumerate(parts) if part.blocks[0].others)
        block = parts[at].blocks[0]
        other = replace(block, others=[bytes(32), *block.others[1:]])
        return [*parts[:at], replace(parts[at], blocks=[other]), *parts[at + 1 :]]

    return forging.with_parts(members, change)


def a_batch_dropped(members):
    return forging.with_parts(members, lambda parts: [parts[0], *parts[2:]])


def a_signature(members):
    def change(seals):
        seals[1]["signature"] = seals[0]["signature"]

    return forging.with_lines(members, "seals.jsonl", change)


def a_seal_dropped(members):
    return forging.with_lines(members, "seals.jsonl", lambda seals: seals.pop(1))


def two_seals_swapped(members):
    return forging.with_lines(members, "seals.jsonl", lambda seals: seals.insert(0, seals.pop(1)))


def a_line(members):
    def change(lines):
        lines[3]["net"], lines[3]["tax"] = "1000.00", "60.00"

    return forging.with_lines(members, "lines.jsonl", change)


def a_line_with_the_facts(members):
    def change(scenario):
        line = scenario["invoices"][0]["lines"][3]
        line["amount"], line["without_tax"] = "1060.00", "1000.00"

    return forging.with_json(a_line(members), "facts.json", change)


def a_line_with_facts_and_charge(members):
    def change(cases):
        cases[1]["charges"][0] |= {"net": "1000.00", "tax": "60.00", "gross": "1060.00"}

    return forging.with_lines(a_line_with_the_facts(members), CASES, change)


def a_price_with_its_charge(members):
    def change(cases):
        cases[1]["facts"]["usage"][0]["end"] = "2026-06-10T23:30:00"

    return forging.with_lines(members, CASES, change)


def a_session(members):
    def change(cases):
        cases[1]["sessions"][0]["energy_mwh"] += 1000

    return forging.with_lines(members, CASES, change)


def a_policy_number(members):
    def change(policy):
        policy["values"]["P2.rate from 2025-11-29"]["value"] = "0.35"

    return forging.with_json(members, "policy.json", change)


def a_policy_number_in_the_rules(members):
    name = "sources/billing/policies/jinzhengban_2025_13.py"
    source = members[name].replace(b'"P2.rate", "0.30"', b'"P2.rate", "0.35"')
    assert source != members[name]
    return a_policy_number({**members, name: source})


def a_reading_of_the_policy(members):
    return forging.with_json(
        members, "facts.json", lambda facts: facts["settings"].__setitem__("A03_revenue_tax", "gross")
    )


def a_claimed_amount(members):
    return forging.with_json(
        members, "claim.json", lambda claim: claim["grants"]["P2"].__setitem__("payable", "3000.00")
    )


FORGERIES = [
    (a_reading, READINGS, ["readings/000001.gz, seal 2, block 0", "reading of meter mt-claim, boot 1, number"]),
    (a_reading_with_its_message, READINGS, ["reading of meter mt-claim, boot 1, number", "(sealed)"]),
    (two_readings_swapped, READINGS, ["reading of meter mt-claim, boot 1, number", "(sealed)"]),
    (two_places_swapped, READINGS, ["seal 2, block 0: the proof"]),
    (a_proof, READINGS, ["the proofs of blocks [0]"]),
    (a_batch_dropped, READINGS, ["session", "readings"]),
    (a_signature, "seals.jsonl", ["seal 2, its signature"]),
    (a_seal_dropped, "seals.jsonl", ["seal 3, the one before", "the seal that follows 1"]),
    (two_seals_swapped, "seals.jsonl", ["seal 2, the one before"]),
    (a_line, "lines.jsonl", ["line 4 (HX-DOSSIER-2026-000001, position 4), amount as in facts.json", "1060.00"]),
    (a_line_with_the_facts, "facts.json", ["line 4 (HX-DOSSIER-2026-000001, position 4), net as charged"]),
    (a_line_with_facts_and_charge, "cases/000001.jsonl", ["case 2, charge", "net"]),
    (a_price_with_its_charge, "cases/000001.jsonl", ["case 2, the runs that it prices"]),
    (a_session, "cases/000001.jsonl", ["session 2 of meter mt-claim, energy_mwh"]),
    (a_policy_number, "policy.json", ["policy.json: values › P2.rate from 2025-11-29 › value", "0.35", "0.30"]),
    (a_policy_number_in_the_rules, "policy.json", ["assessment.json: grants › 2026 P2 › payable", "2377.37"]),
    (a_reading_of_the_policy, "facts.json", ["assessment.json: settings › A03_revenue_tax", "gross"]),
    (a_claimed_amount, "claim.json", ["claim.json: grants › P2 › payable", "2037.74", "3000.00"]),
]


@pytest.mark.parametrize(("forge", "member", "names"), FORGERIES, ids=[forge.__name__ for forge, _, _ in FORGERIES])
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
    forged = forging.written_to(tmp_path / "forged.zip", forging.signed_again(a_claimed_amount(members), OTHER_KEY))
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
    assert {charge["basis"] for _, charge in writing._charged(case, known)} == {"metered"}
    late = case | {"accepted": [case["sessions"][0] | {"session": case["sessions"][0]["id"], "energy_mwh": 1}]}
    assert {charge["basis"] for _, charge in writing._charged(late, known)} == {"metered"}  # accepted after it
    assert late["accepted"] == []
    again = case["charges"][0] | {"id": 7000, "position": 9, "again_of": case["charges"][0]["id"]}
    anew = writing._charged(case | {"charges": [*case["charges"], again]}, known)
    assert [charge["basis"] for _, charge in anew] == ["metered"] * len(case["charges"]) + ["corrected"]
    case["charges"][0]["net"] = "1.00"
    assert {charge["basis"] for _, charge in writing._charged(case, known)} == {"unexplained"}
    assert case["not_again"]


def test_the_dossier_of_the_sample_world_holds_and_names_nobody(session, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "MOST_CASES", 5)
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
