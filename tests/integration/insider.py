"""What somebody with the house's key would try: a dossier that is signed and judged anew, so that it fits in itself."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.integration import forging
from tests.integration.forging import CASES, DOCUMENTS, READINGS, Members

Forgery = Callable[[Members, bytes], Members]


def with_lines_of(members: Members, count: int, change: Callable[[int, Any, Any], object]) -> Members:
    """``count`` more lines like the first, each changed with its line of the facts."""

    def add(lines: list[Any]) -> None:
        for number in range(count):
            line = copy.deepcopy(lines[0]) | {"line": 9000 + number, "position": 100 + number}
            told = copy.deepcopy(invoice["lines"][0]) | {"ref": str(9000 + number)}
            change(number, line, told)
            lines.append(line)
            invoice["lines"].append(told)

    documents = forging.told_in(members, DOCUMENTS)
    invoice = documents[0]
    members = forging.with_lines(members, "lines.jsonl", add)
    return forging.with_lines(members, DOCUMENTS, lambda told: told.__setitem__(0, invoice))


def dearer(members: Members, *, line: dict[str, Any] | None = None) -> Members:
    """The first line is over a million, in the facts and among the lines."""

    def facts(scenario: Any) -> None:
        scenario["invoices"][0]["lines"][0] |= {"amount": "1060000.00", "without_tax": "1000000.00"}

    def lines(told: list[Any]) -> None:
        told[0] |= {"net": "1000000.00", "tax": "60000.00", "gross": "1060000.00", **(line or {})}

    return forging.with_lines(forging.with_facts(members, facts), "lines.jsonl", lines)


def in_cases(members: Members, change: Callable[[list[Any]], object]) -> Members:
    return forging.with_lines(members, CASES, change)


def first_charge(cases: list[Any], members: Members) -> tuple[Any, Any]:
    """The case and the charge of the first line."""
    number = forging.told_in(members, "lines.jsonl")[0]["charge"]
    return next((case, one) for case in cases for one in case["charges"] if one["id"] == number)


def a_line_stated_twice(members: Members, key: bytes) -> Members:
    def change(scenario: Any) -> None:
        lines = scenario["invoices"][0]["lines"]
        lines.insert(0, lines[0] | {"amount": "1060000.00", "without_tax": "1000000.00"})

    return forging.with_facts(members, change)


def a_line_without_its_id(members: Members, key: bytes) -> Members:
    def change(scenario: Any) -> None:
        lines = scenario["invoices"][0]["lines"]
        lines.append(lines[0] | {"ref": None})

    return forging.with_facts(members, change)


def a_charge_on_many_lines(members: Members, key: bytes) -> Members:
    return with_lines_of(members, 3, lambda *_: None)


def charges_of_one_position(members: Members, key: bytes) -> Members:
    def change(cases: list[Any]) -> None:
        case, charge = first_charge(cases, members)
        case["charges"] += [charge | {"id": 7000 + number} for number in range(3)]

    return with_lines_of(in_cases(members, change), 3, lambda at, line, told: line.update(charge=7000 + at))


def _more_cases(members: Members, alike: Callable[[int, Any], object]) -> Members:
    """Three more cases like that of the first line, with a charge and a line each."""

    def change(cases: list[Any]) -> None:
        case, charge = first_charge(cases, members)
        for number in range(3):
            other = copy.deepcopy(case) | {"case": 5000 + number, "charges": [charge | {"id": 7000 + number}]}
            alike(number, other)
            cases.append(other)

    return with_lines_of(
        in_cases(members, change), 3, lambda at, line, told: line.update(charge=7000 + at, case=5000 + at)
    )


def a_case_again(members: Members, key: bytes) -> Members:
    return _more_cases(members, lambda *_: None)


def a_case_again_by_another_nothing(members: Members, key: bytes) -> Members:
    return _more_cases(members, lambda number, case: case.update(sequence=[None, "", []][number]))


def a_session_in_many_cases(members: Members, key: bytes) -> Members:
    return _more_cases(members, lambda number, case: case.update(reservation=8000 + number))


def readings_under_other_sessions(members: Members, key: bytes) -> Members:
    def alike(number: int, case: Any) -> None:
        case["reservation"] = 8000 + number
        case["sessions"][0]["id"] = 80000 + number

    def change(spans: list[Any]) -> None:
        span = next(one for one in spans if session in one["sessions"])
        spans += [span | {"sessions": [80000 + number]} for number in range(3)]

    session = first_charge(forging.told_in(members, CASES), members)[0]["sessions"][0]["id"]
    return forging.with_spans(_more_cases(members, alike), change)


def a_session_twice_in_a_case(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["sessions"].append(cases[0]["sessions"][0]))


def another_word_of_evidence(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["sessions"][0].update(evidence="Metered"))


def another_meter(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["sessions"][0].update(meter="of-nobody"))


def another_machine(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0].update(equipment="OF-NOBODY"))


def other_terms_for_one_case(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[1]["facts"]["tariff"].update(customer_class_rates={"internal": "5"}))


def an_early_rule_of_today(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["sessions"][0].update(not_again="rule"))


def another_relation(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["facts"].update(customer_class="internal"))


def another_day_of_service(members: Members, key: bytes) -> Members:
    def change(scenario: Any) -> None:
        scenario["invoices"][0]["lines"][0]["service_on"] = "2026-09-01"

    changed = forging.with_facts(members, change)
    return forging.with_lines(changed, "lines.jsonl", lambda lines: lines[0].update(served_on="2026-09-01"))


def a_credit_that_adds(members: Members, key: bytes) -> Members:
    return dearer(members, line={"origin": "credit", "charge": None, "case": None})


def a_credit_of_nothing(members: Members, key: bytes) -> Members:
    def change(_: int, line: Any, told: Any) -> None:
        line |= {"origin": "credit", "charge": None, "case": None, "credits_line": 12345}
        line |= {"net": "-10.00", "tax": "-0.60", "gross": "-10.60"}
        told |= {"amount": "-10.60", "without_tax": "-10.00"}

    return with_lines_of(members, 1, change)


def a_document_left_out(members: Members, key: bytes) -> Members:
    def change(scenario: Any) -> None:
        scenario["invoices"][0]["no"] = "HX-DOSSIER-2026-000002"

    changed = forging.with_facts(members, change)

    def lines(told: list[Any]) -> None:
        for one in told:
            one["no"] = "HX-DOSSIER-2026-000002"

    return forging.with_lines(changed, "lines.jsonl", lines)


def a_document_of_another_year(members: Members, key: bytes) -> Members:
    def change(scenario: Any) -> None:
        scenario["invoices"][0]["issued_on"] = "2027-07-02"

    changed = forging.with_facts(members, change)
    return forging.with_lines(
        changed, "lines.jsonl", lambda lines: [one.update(issued_on="2027-07-02") for one in lines]
    )


def another_day_of_a_charge(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["charges"][0].update(served_on="2026-09-01"))


def another_time_zone(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["facts"].update(timezone="Asia/Singapore"))


def a_word_more_of_the_assessment(members: Members, key: bytes) -> Members:
    return forging.with_json(members, "assessment.json", lambda told: told.update(more=None))


def a_year_as_text(members: Members, key: bytes) -> Members:
    return forging.with_json(dearer(members), "claim.json", lambda claim: claim.update(year="2026"))


def a_chain_that_begins_elsewhere(members: Members, key: bytes) -> Members:
    return forging.sealed_again(members, lambda seals: seals[0].update(previous_hash="ab" * 32), key)


def another_hash_of_a_seal(members: Members, key: bytes) -> Members:
    return forging.with_lines(members, "seals.jsonl", lambda seals: seals[-1].update(hash="ab" * 32))


def a_session_told_otherwise_elsewhere(members: Members, key: bytes) -> Members:
    """The readings prove one telling, and the price rests on the other."""

    def change(cases: list[Any]) -> None:
        cases.append(copy.deepcopy(cases[0]) | {"case": 9001, "sequence": 1, "charges": [], "not_again": True})
        cases[0]["sessions"][0]["end"] = "2026-06-20T01:00:00+00:00"

    return in_cases(members, change)


def an_amount_to_which_tax_comes(members: Members, key: bytes) -> Members:
    def change(told: list[Any]) -> None:
        told[0]["lines"][0]["amount_includes_tax"] = False

    return forging.with_lines(members, DOCUMENTS, change)


def a_gross_of_a_line(members: Members, key: bytes) -> Members:
    return forging.with_lines(members, "lines.jsonl", lambda lines: lines[0].update(gross="9999999.00"))


def a_gross_of_a_charge(members: Members, key: bytes) -> Members:
    return in_cases(members, lambda cases: cases[0]["charges"][0].update(gross="9999999.00"))


def a_line_that_is_no_whole_number(members: Members, key: bytes) -> Members:
    return forging.with_lines(members, "lines.jsonl", lambda lines: lines[0].update(line=1.0))


def a_document_without_lines(members: Members, key: bytes) -> Members:
    def change(told: list[Any]) -> None:
        told.append(told[0] | {"no": "HX-DOSSIER-2026-000002", "lines": [], "paid": []})

    return forging.with_lines(members, DOCUMENTS, change)


FOLLOWS_NOT = [
    (a_session_told_otherwise_elsewhere, ["session 1 in case 9001", "2026-06-20T01:00:00"]),
    (an_amount_to_which_tax_comes, ["line 1 (", "tax in the amount as in documents.jsonl"]),
    (a_gross_of_a_line, ["line 1 (", "gross", "9999999.00"]),
    (a_gross_of_a_charge, ["charge 1, gross", "9999999.00"]),
    (a_line_that_is_no_whole_number, ["its id", "1.0"]),
    (a_document_without_lines, ["documents.jsonl: document HX-DOSSIER-2026-000002", "lines"]),
    (a_line_stated_twice, ["documents.jsonl: a line of HX-DOSSIER-2026-000001", "a ref of its own"]),
    (a_line_without_its_id, ["documents.jsonl: a line of HX-DOSSIER-2026-000001", "a ref of its own"]),
    (a_charge_on_many_lines, ["line 9000 (", "a charge of its own"]),
    (charges_of_one_position, ["case 1, positions of its charges"]),
    (a_case_again, ["case 5000", "once", "also case 1"]),
    (a_case_again_by_another_nothing, ["case 5000, its sequence", "a number"]),
    (a_session_in_many_cases, ["session 1", "one of reservation 1 only", "one of reservation 8000, too"]),
    (readings_under_other_sessions, ["readings: session 80000", "use after meter mt-claim"]),
    (a_session_twice_in_a_case, ["its sessions", "each once"]),
    (another_word_of_evidence, ["session 1, evidence", "Metered"]),
    (another_meter, ["session 1, its meter", "mt-claim", "of-nobody"]),
    (another_machine, ["equipment as charged", "OF-NOBODY"]),
    (other_terms_for_one_case, ["tariff 1, its terms", "internal"]),
    (an_early_rule_of_today, ["session 1, rule", "one before"]),
    (another_relation, ["class of its customer", "internal"]),
    (another_day_of_service, ["line 1 (", "day of service as charged", "2026-09-01"]),
    (a_credit_that_adds, ["a credit", "an amount below zero"]),
    (a_credit_of_nothing, ["line 9000 (", "line 12345"]),
    (a_document_left_out, ["document HX-DOSSIER-2026-000001", "every number up to HX-DOSSIER-2026-000002"]),
    (a_document_of_another_year, ["document HX-DOSSIER-2026-000001", "HX-DOSSIER-2027-NUMBER"]),
    (another_day_of_a_charge, ["case 1, charge", "day of service", "2026-09-01"]),
    (another_time_zone, ["its time zone", "Asia/Singapore"]),
    (a_year_as_text, ["claim.json: year", "'2026'"]),
    (a_chain_that_begins_elsewhere, ["seal 1, the one before"]),
    (another_hash_of_a_seal, ["its hash", "abab"]),
]  # fmt: skip


def another_platform(members: Members, key: bytes) -> Members:
    return forging.with_json(members, "claim.json", lambda claim: claim.update(platform="Another"))


def another_code(members: Members, key: bytes) -> Members:
    return forging.with_json(members, "claim.json", lambda claim: claim.update(code="other"))


def a_lock_that_was_not(members: Members, key: bytes) -> Members:
    return forging.with_json(members, "claim.json", lambda claim: claim.update(locked_on="2027-01-05"))


def a_word_more(members: Members, key: bytes) -> Members:
    return forging.with_json(members, "claim.json", lambda claim: claim.update(payable="3000000.00"))


def a_key_twice(members: Members, key: bytes) -> Members:
    content = members["claim.json"].replace(b'"grants"', b'"grants": {"P2": {"payable": "3000000.00"}}, "grants"', 1)
    return {**members, "claim.json": content}


def another_table(members: Members, key: bytes) -> Members:
    return {**members, "tables/lines.csv": members["tables/lines.csv"].replace(b"6", b"9")}


def a_table_more(members: Members, key: bytes) -> Members:
    return {**members, "tables/amounts.csv": b"P2,3000000.00"}


def a_file_more(members: Members, key: bytes) -> Members:
    return {**members, "amounts.pdf": b"P2 3000000.00"}


def readings_of_no_case(members: Members, key: bytes) -> Members:
    return {**members, "readings/000009.gz": members[READINGS]}


SAYS_OTHERWISE = [
    (readings_of_no_case, ["manifest.json: readings/000009.gz"]),
    (another_platform, ["manifest.json: platform"]),
    (another_code, ["documents.jsonl: document HX-DOSSIER-2026-000001", "OTHER-2026-NUMBER"]),
    (a_lock_that_was_not, ["claim.json: locked_on", "2027-01-05"]),
    (a_word_more, ["claim.json: payable"]),
    (a_word_more_of_the_assessment, ["assessment.json: more"]),
    (a_key_twice, ["claim.json: grants", "more than once"]),
    (another_table, ["tables/lines.csv: the table"]),
    (a_table_more, ["tables/amounts.csv: the table"]),
    (a_file_more, ["manifest.json: amounts.pdf"]),
]


def of_the_credit(members: Members, line: dict[str, Any], told: dict[str, Any]) -> Members:
    """The lines of credit notes changed, among the lines and in their documents."""

    def lines(some: list[Any]) -> None:
        for one in some:
            one |= line if one["origin"] == "credit" else {}

    def documents(some: list[Any]) -> None:
        for one in (each for document in some if document["credit_note_of"] for each in document["lines"]):
            one |= told

    return forging.with_lines(forging.with_lines(members, "lines.jsonl", lines), DOCUMENTS, documents)


def a_credit_of_another_category(members: Members, key: bytes) -> Members:
    return of_the_credit(members, {"category": "goods_sale"}, {"category": "goods_sale"})


def a_credit_of_own_use(members: Members, key: bytes) -> Members:
    return of_the_credit(members, {"relation": "own_use"}, {"customer_relation": "own_use"})


def a_credit_of_another_day(members: Members, key: bytes) -> Members:
    return of_the_credit(members, {"served_on": "2020-01-01"}, {"service_on": "2020-01-01"})


def a_credit_of_another_rate(members: Members, key: bytes) -> Members:
    return of_the_credit(members, {"rate": "0.99"}, {"tax_rate": "0.99"})


def a_credit_of_tax_alone(members: Members, key: bytes) -> Members:
    return of_the_credit(members, {"net": "0.00", "tax": "-10.60"}, {"without_tax": "0.00"})


def a_credit_of_subcontracted_work(members: Members, key: bytes) -> Members:
    return of_the_credit(members, {}, {"subcontracted": True})


def a_credit_that_is_emptied(members: Members, key: bytes) -> Members:
    def documents(some: list[Any]) -> None:
        for one in some:
            one["lines"] = [] if one["credit_note_of"] else one["lines"]

    def lines(some: list[Any]) -> None:
        some[:] = [one for one in some if one["origin"] != "credit"]

    return forging.with_lines(forging.with_lines(members, "lines.jsonl", lines), DOCUMENTS, documents)


TAKES_BACK_LESS = [
    (a_credit_of_another_category, ["category of what it takes back", "goods_sale"]),
    (a_credit_of_own_use, ["relation of what it takes back", "own_use"]),
    (a_credit_of_another_day, ["served_on of what it takes back", "2020-01-01"]),
    (a_credit_of_another_rate, ["rate of what it takes back", "0.99"]),
    (a_credit_of_tax_alone, ["net of what it takes back", "-10.00", "0.00"]),
    (a_credit_of_subcontracted_work, ["subcontracted as in documents.jsonl"]),
    (a_credit_that_is_emptied, ["documents.jsonl: document HX-DOSSIER-2026-000003", "lines"]),
]


def a_corrected_amount(members: Members, key: bytes) -> Members:
    def change(cases: list[Any]) -> None:
        charge = first_charge(cases, members)[1]
        charge |= {"priced_gross": charge["gross"], "net": "1000000.00", "tax": "60000.00", "gross": "1060000.00"}

    return in_cases(dearer(members), change)


def an_amount_that_follows_from_nothing(members: Members, key: bytes) -> Members:
    def change(cases: list[Any]) -> None:
        case, charge = first_charge(cases, members)
        charge |= {"net": "1000000.00", "tax": "60000.00", "gross": "1060000.00"}
        case["not_again"] = True

    return in_cases(dearer(members), change)


def entered_use(members: Members, key: bytes) -> Members:
    def change(cases: list[Any]) -> None:
        cases[0]["sessions"][0].update(evidence="entered")

    return in_cases(members, change)


def late_readings_without_any(members: Members, key: bytes) -> Members:
    def change(cases: list[Any]) -> None:
        for session in (one for case in cases for one in case["sessions"]):
            session["not_again"] = "late"

    return in_cases(members, change)


def commissioned_work(members: Members, key: bytes) -> Members:
    return dearer(members, line={"origin": "service", "case": None})


ONLY_STATED = [
    (a_corrected_amount, ["1000000.00 yuan        1 lines  amount changed", "WARNING: 1000000.00 yuan rest on stat"]),
    (an_amount_that_follows_from_nothing, ["NOT AS THE RULES PRICE IT", "WARNING: 100"]),
    (entered_use, ["3 lines  use entered by a person", "WARNING: "]),
    (
        late_readings_without_any,
        ["9 lines  said to be metered, not derived", "sealed readings: 0.00 %", "WARNING: 6792.48"],
    ),
    (commissioned_work, ["1 lines  commissioned work by its quote, no readings", "WARNING: 1000000.00"]),
]
