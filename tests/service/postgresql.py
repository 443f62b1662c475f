"""A PostgreSQL server for tests: in a temporary folder, on loopback, as an unprivileged user, for as long as it is needed."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PASSWORD = "kept-secret"


class LackingError(Exception):
    """What is missing to run PostgreSQL here."""


def programs() -> Path:
    """Return the folder of PostgreSQL's programs. Raises LackingError."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for place in reversed(places):
        if (place / "initdb").is_file() and (place / "postgres").is_file():
            return place
    raise LackingError("PostgreSQL is not installed (Debian: apt-get install postgresql)")


def _user() -> str | None:
    """Return an unprivileged user to run as, ``None`` where this process is one already. Raises LackingError."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise LackingError("PostgreSQL does not run as root, and there is no user postgres or nobody")


class Running:
    """A server that runs: ``url`` names its only database, with a password; it can be stopped and started again."""

    def __init__(self, room: Path) -> None:
        self.bin, self.user, self.room = programs(), _user(), room
        if self.user:
            shutil.chown(room, self.user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://fathom:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        secret = room / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            "initdb", "-D", "data", "-U", "fathom", "-A", "scram-sha-256", "--pwfile", "password", "-E", "UTF8", "-N"
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        said = f"-h 127.0.0.1 -p {self.port} -k {self.room} -c fsync=off -c max_connections=20 -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", "data", "-o", said, "-l", "log", "-w", "-t", "60", "start")

    def stop(self) -> None:
        """Stop it; connections break."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=self.room,
            user=self.user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            timeout=120,
        )
        if done.returncode:
            raise LackingError(f"{program} failed here: {done.stderr.decode(errors='replace')[-300:]}")


@contextlib.contextmanager
def running() -> Iterator[Running]:
    """Run a server. Raises LackingError where it cannot be."""
    room = Path(tempfile.mkdtemp(prefix="fathom-postgresql-", dir="/tmp"))
    try:
        server = Running(room)
        try:
            yield server
        finally:
            with contextlib.suppress(LackingError):
                server.stop()
    finally:
        shutil.rmtree(room, ignore_errors=True)
