"""What somebody would change in a dossier, one thing at a time: the member that changes, and what has to be named."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.integration import forging
from tests.integration.forging import CASES, READINGS


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
        lines[3] |= {"net": "1000.00", "tax": "60.00", "gross": "1060.00"}

    return forging.with_lines(members, "lines.jsonl", change)


def a_line_with_the_facts(members):
    def change(scenario):
        line = scenario["invoices"][0]["lines"][3]
        line["amount"], line["without_tax"] = "1060.00", "1000.00"

    return forging.with_facts(a_line(members), change)


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
    return forging.with_facts(members, lambda facts: facts["settings"].__setitem__("A03_revenue_tax", "gross"))


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
    (a_line, "lines.jsonl", ["line 4 (HX-DOSSIER-2026-000001, position 4), amount as in documents.jsonl", "1060.00"]),
    (a_line_with_the_facts, "documents.jsonl", ["line 4 (HX-DOSSIER-2026-000001, position 4), net as charged"]),
    (a_line_with_facts_and_charge, "cases/000001.jsonl", ["case 2, charge", "net"]),
    (a_price_with_its_charge, "cases/000001.jsonl", ["case 2, the runs that it prices"]),
    (a_session, "cases/000001.jsonl", ["session 2 of meter mt-claim, energy_mwh"]),
    (a_policy_number, "policy.json", ["policy.json: values › P2.rate from 2025-11-29 › value", "0.35", "0.30"]),
    (a_policy_number_in_the_rules, "policy.json", ["assessment.json: grants › 2026 P2 › payable", "2377.37"]),
    (a_reading_of_the_policy, "facts.json", ["assessment.json: settings › A03_revenue_tax", "gross"]),
    (a_claimed_amount, "claim.json", ["claim.json: grants › P2 › payable", "2037.74", "3000.00"]),
]
