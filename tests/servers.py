"""Real servers on loopback that several app servers share: PostgreSQL from Debian's packages, and S3."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest


@dataclass
class Cluster:
    """A server with its data in a folder; it does not run as root."""

    bin: Path
    folder: Path
    port: int
    user: str | None

    def call(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), *arguments]
        subprocess.run(command, check=True, user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.call(
            "pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-o", options, "-w", "start"
        )

    def stop(self) -> None:
        self.call("pg_ctl", "-D", str(self.folder / "data"), "-m", "fast", "-w", "stop")

    def new_database(self, name: str) -> str:
        """Make an empty database and return its address."""
        psycopg = pytest.importorskip("psycopg")
        server = f"postgresql://citeloop:secret@127.0.0.1:{self.port}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"{server}/{name}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A new PostgreSQL server; skips where it is not installed."""
    known = shutil.which("initdb")
    found = Path(known) if known else max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
    if found is None:
        pytest.skip("PostgreSQL is not installed; apt-get install postgresql")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory(prefix="citeloop-postgres-") as folder:  # those of pytest are closed to other users
        cluster = Cluster(found.resolve().parent, Path(folder), port, "postgres" if os.getuid() == 0 else None)
        if cluster.user:
            shutil.chown(folder, cluster.user)
        cluster.call("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "citeloop")
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def s3_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder in a bucket, which this process and those that it starts can use."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "ENDPOINT_URL": f"http://{host}:{port}"}
    for name, value in {**variables, "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    pytest.importorskip("boto3").client("s3").create_bucket(Bucket="company")
    yield f"s3://company/{uuid4().hex}"  # servers of one process have the same buckets
    server.stop()
