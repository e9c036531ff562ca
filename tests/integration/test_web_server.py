from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.web_server import STOP_LIMIT_S, free_port, start, stop


def test_a_web_server_that_is_stopped_while_it_starts_ends_with_its_workers(tmp_path):
    with (tmp_path / "web.log").open("wb") as log:
        server = start(free_port(), "postgresql+psycopg://nobody@127.0.0.1:1/none", tmp_path, log, workers=2)
        try:
            while not any(one.read_text() for one in Path(f"/proc/{server.pid}/task").glob("*/children")):
                assert server.poll() is None
            server.terminate()
            assert server.wait(STOP_LIMIT_S) == 0
            with pytest.raises(ProcessLookupError):
                os.killpg(server.pid, 0)
        finally:
            stop(server)
