"""The web server as it runs in production, on a test's database, and a client with one session."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from app.cli.up import web_command

START_LIMIT_S, STOP_LIMIT_S = 120.0, 60.0
"""A busy machine takes its time."""
ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def web_server(database_url: str, folder: Path, *, workers: int = 2) -> Iterator[int]:
    """The port of a server with ``workers`` processes; it is stopped when the block ends."""
    port = free_port()
    with (folder / "web.log").open("wb") as log:
        server = start(port, database_url, folder, log, workers=workers)
        try:
            _wait_until_it_answers(port, server)
            yield port
        finally:
            stop(server)


class Visitor:
    """One connection to the API. A signed-in visitor lends its session to others by :meth:`beside`."""

    def __init__(self, port: int, headers: dict[str, str] | None = None, *, patience_s: float = 60) -> None:
        self.port = port
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience_s)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        self._connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        answer = self._connection.getresponse()
        if cookie := answer.headers.get("Set-Cookie"):
            self.headers["Cookie"] = cookie.partition(";")[0]
        return answer.status, json.loads(answer.read())

    def sign_in(self, *, email: str, password: str) -> None:
        status, told = self.ask("POST", "/api/v1/session", {"email": email, "password": password})
        assert status == 201, told
        self.headers["X-CSRFToken"] = told["csrf_token"]

    def beside(self) -> Visitor:
        return Visitor(self.port, self.headers)

    def close(self) -> None:
        self._connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(port: int, database_url: str, folder: Path, log: IO[bytes], *, workers: int) -> subprocess.Popen[bytes]:
    """In a process group of its own."""
    environment = os.environ | {"DATABASE_URL": database_url, "PILOTSHARE_FOLDER": str(folder)}
    return subprocess.Popen(
        web_command("127.0.0.1", port, workers=workers),
        cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def stop(server: subprocess.Popen[bytes]) -> None:
    """Errors: ``TimeoutExpired`` for one that does not end when it is asked to; it is gone all the same."""
    server.terminate()
    try:
        server.wait(STOP_LIMIT_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_until_it_answers(port: int, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while server.poll() is None and time.monotonic() < limit:
        visitor = Visitor(port, patience_s=5)
        try:
            visitor.ask("GET", "/api/v1/platforms")
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            visitor.close()
    raise AssertionError("the web server did not start; its log is web.log in its folder")
