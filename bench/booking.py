"""Bookings a second over HTTP, against bare INSERTs of the same rows in the same run.

O(1) per booking in the number of reservations: one row lock, one index probe.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg

from app.identity.passwords import hashed
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.db import transaction
from app.kernel.postgres import PrivatePostgres
from bench.house import house
from tests import makers
from tests.integration.test_private_broker import brokers

EQUIPMENT, EACH, CLIENTS = 20, 50, 8
PASSWORD = "bench-password"


class Client:
    """One connection that is signed in."""

    def __init__(self, port: int, *, like: Client | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookie, self.token = (like.cookie, like.token) if like else ("", "")

    def sign_in(self, email: str) -> Client:
        status, told = self.ask("/api/v1/session", {"email": email, "password": PASSWORD})
        assert status == 201, told
        self.token = told["csrf_token"]
        return self

    def ask(self, path: str, content: dict) -> tuple[int, dict]:
        headers = {"Content-Type": "application/json", "Cookie": self.cookie, "X-CSRFToken": self.token}
        self.connection.request("POST", path, json.dumps(content), headers)
        answer = self.connection.getresponse()
        if cookie := answer.getheader("Set-Cookie"):
            self.cookie = cookie.partition(";")[0]
        return answer.status, json.loads(answer.read())


def main() -> None:
    with house() as (_, server, folder):
        with transaction() as session:
            firm = makers.organization(session)
            person = makers.person(
                session,
                (firm, Role.FIRM_MEMBER),
                email="bench@pilotshare.example",
                password_hash=hashed(PASSWORD),
            )
            ids = [makers.equipment(session).id for _ in range(EQUIPMENT)]
            who = (firm.id, person.id)
        floor = bare(server, ids, who)
        reached = over_http(server.url, folder, ids)
    print(f"bookings/s  bare SQL {floor:8.0f}   HTTP {reached:8.0f}   ratio {reached / floor:.3f}")


def bare(server: PrivatePostgres, ids: list[int], who: tuple[int, int]) -> float:
    """One connection, one committed INSERT a booking, in a year that nobody books over HTTP."""
    start = clock.local_midnight(clock.local_date(clock.now())) + timedelta(days=400)
    with psycopg.connect(
        host=str(server.sockets), user="pilotshare", dbname="pilotshare", autocommit=True
    ) as connection:
        began = time.perf_counter()
        for hour in range(EACH):
            for equipment_id in ids:
                when = (start + timedelta(hours=hour), start + timedelta(hours=hour + 1))
                connection.execute(
                    "WITH made AS (INSERT INTO reservation (equipment_id, organization_id, person_id, during, state,"
                    " purpose, created_at, changed_at) VALUES (%s::int, %s::int, %s::int, tstzrange(%s, %s),"
                    " 'booked', '', now(), now()) RETURNING id, equipment_id, during)"
                    " INSERT INTO occupancy (reservation_id, equipment_id, unit, blocked)"
                    " SELECT id, equipment_id, 1, during FROM made",
                    (equipment_id, *who, *when),
                )
        return len(ids) * EACH / (time.perf_counter() - began)


def over_http(url: str, folder: Path, ids: list[int]) -> float:
    port = brokers._free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "2"]
    environment = os.environ | {"DATABASE_URL": url, "PILOTSHARE_FOLDER": str(folder)}
    with subprocess.Popen(
        [*command, "--blocking-threads", "8", "--no-ws", "--factory", "app:create_app"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            while not brokers._answers(port):
                time.sleep(0.05)
            first = Client(port).sign_in("bench@pilotshare.example")
            start = clock.local_midnight(clock.local_date(clock.now())) + timedelta(days=2)

            def book(client: int) -> None:
                own = Client(port, like=first)
                for equipment_id in ids[client::CLIENTS]:
                    for hour in range(EACH):
                        when = start + timedelta(hours=hour)
                        status, told = own.ask(
                            "/api/v1/reservations",
                            {
                                "equipment_id": equipment_id,
                                "starts_at": when.isoformat(),
                                "ends_at": (when + timedelta(hours=1)).isoformat(),
                            },
                        )
                        assert status == 201, told
                own.connection.close()

            with ThreadPoolExecutor(CLIENTS) as pool:
                began = time.perf_counter()
                list(pool.map(book, range(CLIENTS)))
                took = time.perf_counter() - began
            first.connection.close()
            return len(ids) * EACH / took
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
