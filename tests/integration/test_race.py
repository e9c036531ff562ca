from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from app.identity.passwords import hashed
from app.identity.rules.permission import Role
from app.kernel import clock
from tests import makers
from tests.web_server import Visitor, web_server

CLIENTS, ROUNDS, PASSWORD = 32, 50, "示例密码-2026"


def test_of_32_who_ask_for_one_slot_over_http_exactly_one_gets_it_in_each_of_50_rounds(session, database_url, tmp_path):
    thing = makers.equipment(session)
    people = [
        makers.person(session, (makers.organization(session), Role.FIRM_MEMBER), password_hash=hashed(PASSWORD))
        for _ in range(2)
    ]
    equipment_id, emails = thing.id, [person.email for person in people]
    first_slot = clock.local_midnight(clock.local_date(clock.now()) + timedelta(days=3))
    session.commit()
    with web_server(database_url, tmp_path) as port:
        firms = [Visitor(port) for _ in emails]
        for firm, email in zip(firms, emails, strict=True):
            firm.sign_in(email=email, password=PASSWORD)
        answers = _race(firms, equipment_id, first_slot)
        for firm in firms:
            firm.close()
    for number in range(ROUNDS):
        told = [client[number] for client in answers]
        assert Counter(status for status, _ in told) == {201: 1, 409: CLIENTS - 1}
        assert all(len(body["alternatives"]) >= 3 for status, body in told if status == 409)
    assert session.scalar(text("SELECT count(*) FROM reservation")) == ROUNDS
    assert session.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")) == 0
    log = Path(session.scalars(text("SELECT current_setting('data_directory')")).one()).parent / "log"
    assert "deadlock detected" not in log.read_text()


def _race(firms: list[Visitor], equipment_id: int, first_slot: datetime) -> list[list[tuple[int, dict]]]:
    """For each client, its answers round by round. All clients start each round together."""
    start = threading.Barrier(CLIENTS)

    def client(number: int) -> list[tuple[int, dict]]:
        visitor, answers = firms[number % len(firms)].beside(), []
        for hour in range(ROUNDS):
            begin = first_slot + timedelta(hours=hour)
            body = {
                "equipment_id": equipment_id,
                "starts_at": begin.isoformat(),
                "ends_at": (begin + timedelta(hours=1)).isoformat(),
            }
            start.wait(timeout=60)
            answers.append(visitor.ask("POST", "/api/v1/reservations", body))
        visitor.close()
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(client, range(CLIENTS)))
