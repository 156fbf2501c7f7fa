"""A connection to a PostgreSQL server: how it is made, and what the gallery's queries see of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from core.gallery.cipher import PLAIN, Cipher

_ROWS_AT_ONCE = 512
_VALUE = re.compile(r"'(?:[^']|'')*'|\?|(?<!:):([a-z_][a-z0-9_]*)|%")
_ALIVE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

Row = tuple[Any, ...]


def connect(address: str) -> psycopg.Connection[Row]:
    """Connect, with TLS to another machine. Raises psycopg.OperationalError."""
    return psycopg.connect(address, autocommit=True, **_ALIVE, **tls(address))  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def translated(sql: str) -> bytes:
    """Return a statement with psycopg's placeholders: `?` becomes `%s`, `:name` becomes `%(name)s`."""

    def value(found: re.Match[str]) -> str:
        if found[0].startswith("'"):
            return found[0].replace("%", "%%")
        return {"?": "%s", "%": "%%"}.get(found[0]) or f"%({found[1]})s"

    return _VALUE.sub(value, sql).encode("utf-8")


def tls(address: str) -> dict[str, str]:
    """What libpq is told so that faces and names don't cross a network in the clear, unless the address says how."""
    said = conninfo_to_dict(address)
    named = [str(said.get(key) or os.environ.get(f"PG{key.upper()}", "")) for key in ("host", "hostaddr")]
    here = all(each.startswith("/") or each in ("", *_THIS_MACHINE) for each in ",".join(named).split(","))
    told = {"sslmode", "service"} & said.keys() or {"PGSSLMODE", "PGSERVICE"} & os.environ.keys()
    return {} if here or told else {"sslmode": "require"}


class PostgresConnection:
    """What the gallery's queries see of psycopg's connection."""

    cipher: Cipher = PLAIN

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> psycopg.Cursor[Row]:
        return self._connection.execute(translated(sql), parameters, binary=True)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(translated(sql), parameters)

    def stream(self, sql: str, parameters: Mapping[str, Any], /) -> Iterator[Row]:
        """Yield the rows as they arrive."""
        with self._connection.cursor(binary=True) as cursor:
            yield from cursor.stream(translated(sql), parameters, size=_ROWS_AT_ONCE)
