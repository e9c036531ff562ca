from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.kernel.postgres import PrivatePostgres


def query(server: PrivatePostgres, text: str) -> object:
    with psycopg.connect(host=str(server.sockets), user="pilotshare", dbname="pilotshare") as connection:
        answer = connection.execute(text)
        return answer.fetchone()[0] if answer.description else None


@pytest.fixture
def server(open_folder: Path):
    server = PrivatePostgres(open_folder / "postgres", durable=False)
    yield server
    server.stop()


def test_a_stopped_server_keeps_its_data(server):
    server.start()
    query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    assert server.process_id is None
    server.start()
    assert query(server, "SELECT answer FROM kept") == 42


def test_two_starts_are_one_server(server):
    server.start()
    first = server.process_id
    PrivatePostgres(server.home, durable=False).start()
    assert server.process_id == first


def test_a_server_whose_owner_was_killed_is_found_again(server):
    script = (
        "import sys; from pathlib import Path; from app.kernel.postgres import PrivatePostgres;"
        "PrivatePostgres(Path(sys.argv[1]), durable=False).start(); print('up', flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(server.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout.readline() == "up\n"
        running = server.process_id
        owner.kill()
    assert running is not None
    server.start()
    assert server.process_id == running


def test_a_server_that_was_killed_starts_again(server):
    server.start()
    killed = server.process_id
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    server.start()
    assert query(server, "SELECT 1") == 1


def test_the_server_listens_on_no_network(server):
    server.start()
    assert query(server, "SHOW listen_addresses") == ""
    assert server.sockets.stat().st_mode & 0o077 == 0
