"""A real PostgreSQL server for tests: from the system's packages, on a free port, gone after the session."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "c4nary:p@ss/w%rd"
"""Of the server; hard to put in a URL, and to be found in no message."""


@dataclass(frozen=True)
class Server:
    port: int

    def url(self, variable: str = "CUVEE_TEST_PASSWORD", driver: str = "") -> str:
        return f"postgresql{driver}://cuvee:${{{variable}}}@127.0.0.1:{self.port}/postgres"


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    here = shutil.which("initdb")
    return Path(here).parent if here else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    # initdb refuses to run as root: then the server runs as the user that its package made.
    user = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "password")
        secret.write_text(PASSWORD)
        if user:
            os.chown(folder, user["user"], user["group"])
            os.chown(secret, user["user"], user["group"])
        data, port = f"{folder}/data", _free_port()

        def run(*command: str) -> None:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, **user)
            assert done.returncode == 0, done.stderr

        run(f"{binaries}/initdb", "-D", data, "-U", "cuvee", "--pwfile", str(secret), "-A", "scram-sha-256",
            "-E", "UTF8", "--no-locale", "--no-sync")  # fmt: skip
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        run(f"{binaries}/pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{folder}/log", "start")
        try:
            yield Server(port)
        finally:
            run(f"{binaries}/pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def postgres(postgres_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, with its password in the environment."""
    monkeypatch.setenv("CUVEE_TEST_PASSWORD", PASSWORD)
    return postgres_server
