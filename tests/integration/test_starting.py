"""What `make run` says when it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO

import pytest

from app.cli.up import insist_on_space
from app.kernel.errors import Refusal
from app.kernel.postgres import PrivatePostgres
from tests.web_server import free_port

ROOT = Path(__file__).resolve().parents[2]


def test_a_taken_port_is_named_with_the_way_out(open_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = os.environ | {"PILOTSHARE_FOLDER": str(open_folder / "house"), "PILOTSHARE_PORT": str(port)}
        up = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "up"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert up.returncode == 1
    assert f"端口 {port} 已被占用" in up.stderr
    assert f"PILOTSHARE_PORT={port + 1}" in up.stderr
    assert not (open_folder / "house" / "postgres").exists()


def test_a_full_disk_is_said_before_anything_starts(tmp_path):
    insist_on_space(tmp_path, mb=0)
    with pytest.raises(Refusal, match="磁盘空间不足"):
        insist_on_space(tmp_path, mb=10**9)


def test_a_database_that_is_killed_is_started_anew_and_the_house_goes_on(open_folder):
    folder, port, broker_port = open_folder / "house", free_port(), free_port()
    environment = os.environ | {
        "PILOTSHARE_FOLDER": str(folder),
        "PILOTSHARE_PORT": str(port),
        "PILOTSHARE_MQTT_PORT": str(broker_port),
    }
    command = [sys.executable, "-m", "flask", "--app", "app", "up", "--no-demo"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout is not None
            _until(up.stdout, "Ctrl-C")
            before = PrivatePostgres(folder / "postgres").process_id
            os.kill(before, signal.SIGKILL)
            _until(up.stdout, "PostgreSQL 已退出")
            assert PrivatePostgres(folder / "postgres").process_id not in (None, before)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/platforms", timeout=30) as answer:
                assert answer.status == 200
        finally:
            up.send_signal(signal.SIGTERM)
            rest = up.stdout.read()
    assert "已停止，数据保留在" in rest
    assert up.returncode == 0


def _until(told: IO[str], words: str) -> None:
    """Read on until a line says so; the end of what it has to say is a failure."""
    seen = []
    for line in told:
        seen.append(line)
        if words in line:
            return
    raise AssertionError("".join(seen))
