"""What `make run` says when it cannot start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.up import insist_on_space
from app.kernel.errors import Refusal

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
