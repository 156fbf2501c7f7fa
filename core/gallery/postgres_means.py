"""The means that a PostgreSQL server searches: a table beside the templates, kept by every write, and its vector index.

The table is derived from the templates, as a copy in memory is. It is made where the server has pgvector; without it
everybody is compared in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.sql import SQL, Identifier
from psycopg.types import TypeInfo

from core.gallery.index_build import Templates, averaged
from core.gallery.server import SCHEMA_ON_SERVERS as SCHEMA
from core.gallery.stored_values import stored_vectors
from core.system.logs import logger

_log = logger(__name__)

_EXTENSION = "vector"

LEAST_PGVECTOR = (0, 8)
"""The first version whose index goes on searching where a filter leaves too few."""

INDEX_FROM = 2_000_000
"""Means of one encoder from which on they have an index on the server; fewer are searched in memory, which is exact
and in 100,000 as fast (docs/measurements.md)."""

CANDIDATES = 400
"""Means that the index selects for each probe (hnsw.ef_search); whom it misses isn't found."""

EVERY_UPSCALER = "*"
"""Stands for the upscaler of a mean over templates of several, which a specialist's space meets."""

_MAKING = 0x4546474D
"""The advisory lock that processes take in turns while they look for the table and make it."""

_PEOPLE_AT_ONCE = 500
_BUILD_BYTES_A_MEAN = 2_000
_MOST_BUILD_MB = 2_048

Connection = psycopg.Connection[tuple[Any, ...]]

_CREATE: tuple[LiteralString, ...] = (
    # `whole`: the mean of all of a person's templates of its size, through whichever upscaler.
    """CREATE TABLE mean(
        identity_id bigint NOT NULL REFERENCES identity(id) ON DELETE CASCADE,
        encoder_id bigint NOT NULL REFERENCES encoder(id),
        flip_tta integer NOT NULL, size_px integer NOT NULL, upscaler text COLLATE "C" NOT NULL,
        whole boolean NOT NULL, templates integer NOT NULL, vector vector NOT NULL)""",
    "ALTER TABLE mean ALTER vector SET STORAGE PLAIN",
    "CREATE INDEX mean_of_identity ON mean(identity_id)",
    "CREATE INDEX mean_in_space ON mean(encoder_id, flip_tta, upscaler, whole, identity_id, size_px, templates)",
    # Whose means are of an earlier revision: nobody's, after each write.
    "ALTER TABLE identity ADD COLUMN means_at bigint",
    "CREATE INDEX identity_behind ON identity(id) WHERE means_at IS DISTINCT FROM revision",
    # What is known of the means stays true while this number stays.
    "ALTER TABLE state ADD COLUMN means bigint NOT NULL DEFAULT 0",
    """CREATE FUNCTION means_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS
        $$BEGIN UPDATE state SET means = means + 1; RETURN NULL; END$$""",
    """CREATE TRIGGER means_changed AFTER INSERT OR UPDATE OR DELETE ON mean
        FOR EACH STATEMENT EXECUTE FUNCTION means_changed()""",
)


def prepare(connection: Connection) -> bool:
    """Make the table of means and fill it where the server can; whether it is there for this account.

    The caller has made the gallery's tables. The type's schema joins the search path.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        place = _extension(connection)
        if place is None:
            return False
        connection.execute(SQL("SET search_path TO {}, {}").format(Identifier(SCHEMA), Identifier(place)))
        if connection.execute("SELECT to_regclass('mean')").fetchone() == (None,):
            if not _owns(connection, "identity"):
                return False
            for statement in _CREATE:
                connection.execute(statement)
            _use_vectors(connection)
            settle(connection)
        elif not _is_for(connection):
            return False
    _use_vectors(connection)
    # A filter doesn't starve the result: the index goes on until there are enough. Compiling a search takes longer.
    connection.execute(SQL("SET hnsw.ef_search = {}").format(CANDIDATES))
    connection.execute("SET hnsw.iterative_scan = relaxed_order")
    connection.execute("SET jit = off")
    return True


def _extension(connection: Connection) -> str | None:
    """The schema of the server's pgvector, installed into this database where that is allowed; None without it."""
    query = """SELECT n.nspname, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = %s"""
    offered = "SELECT 1 FROM pg_available_extensions WHERE name = %s"
    found = connection.execute(query, (_EXTENSION,)).fetchone()
    if found is None and connection.execute(offered, (_EXTENSION,)).fetchone():
        try:
            with connection.transaction():
                connection.execute(SQL("CREATE EXTENSION {} SCHEMA public").format(Identifier(_EXTENSION)))
        except psycopg.Error as error:
            _log.info("pgvector couldn't be installed in the gallery's database: %s", error.sqlstate)
        found = connection.execute(query, (_EXTENSION,)).fetchone()
    if found is None or tuple(map(int, str(found[1]).split(".")[:2])) < LEAST_PGVECTOR:
        return None
    return str(found[0])


def _is_for(connection: Connection) -> bool:
    """Whether the account uses the table: it may read it, or it writes to the gallery, which without the right to keep
    the table would hide people from the others' searches."""
    query = "SELECT has_table_privilege('mean', 'SELECT') OR has_table_privilege('state', 'UPDATE')"
    return connection.execute(query).fetchone() == (True,)


def _owns(connection: Connection, table: str) -> bool:
    query = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)"
    return connection.execute(query, (table,)).fetchone() == (True,)


class _VectorDumper(Dumper):
    """A row of numbers in pgvector's binary format: two 16-bit numbers, the length and 0, then the float32 values."""

    format = Format.BINARY

    def dump(self, obj: np.ndarray) -> bytes:
        return struct.pack(">HH", len(obj), 0) + obj.astype(">f4").tobytes()


def _use_vectors(connection: Connection) -> None:
    """Let statements take numpy's rows as vectors."""
    if (info := TypeInfo.fetch(connection, "vector")) is not None:
        info.register(connection)
        connection.adapters.register_dumper(np.ndarray, type("", (_VectorDumper,), {"oid": info.oid}))


def settle(connection: Connection) -> None:
    """Bring the means of everybody whose templates have changed up to date, within the write that changed them."""
    spaces: set[tuple[int, int]] = set()
    query = "SELECT id FROM identity WHERE means_at IS DISTINCT FROM revision ORDER BY id LIMIT %s"
    while found := connection.execute(query, (_PEOPLE_AT_ONCE,)).fetchall():
        people = [int(row[0]) for row in found]
        connection.execute("DELETE FROM mean WHERE identity_id = ANY(%s)", (people,))
        rows = _rows(connection, people)
        spaces |= {(row[1], row[2]) for row in rows}
        with connection.cursor() as cursor, cursor.copy("COPY mean FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "int8", "int4", "int4", "text", "bool", "int4", "vector"])
            for row in rows:
                copy.write_row(row)
        connection.execute("UPDATE identity SET means_at = revision WHERE id = ANY(%s)", (people,))
    for encoder, flip in sorted(spaces):
        _index_where_large(connection, encoder, flip)


def _rows(connection: Connection, people: Sequence[int]) -> list[tuple[Any, ...]]:
    """The rows of the table of means for `people`."""
    templates = connection.execute(
        """SELECT t.identity_id, t.encoder_id, t.flip_tta, coalesce(t.size_px, 0), coalesce(t.upscaler_sha256, ''),
            t.id, t.vector, t.recognisability, e.dim FROM template t JOIN encoder e ON e.id = t.encoder_id
        WHERE t.identity_id = ANY(%s) ORDER BY 1, 2, 3, 4, 5, 6""",
        (people,),
        binary=True,
    ).fetchall()
    made: list[tuple[Any, ...]] = []
    for key, of_size in groupby(templates, key=itemgetter(0, 1, 2, 3)):
        together = list(of_size)
        by_upscaler = {name: list(some) for name, some in groupby(together, key=itemgetter(4))}
        for name, some in by_upscaler.items():
            made.append((*key, name, len(by_upscaler) == 1, len(some), _mean(some)))
        if len(by_upscaler) > 1:
            oldest_first = sorted(together, key=itemgetter(5))
            made.append((*key, EVERY_UPSCALER, True, len(together), _mean(oldest_first)))
    return made


def _mean(templates: Sequence[tuple[Any, ...]]) -> np.ndarray:
    """The mean of templates of one person and size, as a search in memory makes it."""
    vectors, alike = stored_vectors([row[6] for row in templates], templates[0][8]), np.zeros(len(templates), np.int64)
    measured = np.array([row[7] for row in templates], dtype=np.float64)  # None becomes NaN
    mean: np.ndarray = averaged(Templates(alike, alike, vectors, measured)).matrix[0]
    return mean


def index_name(encoder: int, flip: int) -> str:
    """The name of the index over one encoder's means."""
    return f"mean_near_{encoder}_{flip}"


def has_index(connection: Connection, encoder: int, flip: int) -> bool:
    """Whether that index is there and complete."""
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
    return connection.execute(query, (index_name(encoder, flip),)).fetchone() == (True,)


def has_any_index(connection: Connection) -> bool:
    """Whether the means of any encoder have one."""
    query = """SELECT 1 FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE indrelid = to_regclass('mean') AND amname = 'hnsw'"""
    return connection.execute(query).fetchone() is not None


def _index_where_large(connection: Connection, encoder: int, flip: int) -> None:
    """Build the index over an encoder's means once there are INDEX_FROM of them; an account that doesn't own the table
    leaves that to the one that does."""
    if has_index(connection, encoder, flip) or not _owns(connection, "mean"):
        return
    query = """SELECT count(*), (SELECT dim FROM encoder WHERE id = %(encoder)s) FROM (
        SELECT 1 FROM mean WHERE encoder_id = %(encoder)s AND flip_tta = %(flip)s LIMIT %(least)s) few"""
    count, dim = _one(connection, query, {"encoder": encoder, "flip": flip, "least": INDEX_FROM})
    if count < INDEX_FROM:
        return
    build_index(connection, encoder, flip, dim)


def build_index(connection: Connection, encoder: int, flip: int, dim: int) -> None:
    """Build the vector index over the means of one encoder, within a write."""
    connection.execute(SQL("SET LOCAL maintenance_work_mem = {}").format(f"{build_mb(connection)}MB"))
    _log.info("building a vector index over the gallery's means")
    connection.execute(
        SQL(
            "CREATE INDEX {} ON mean USING hnsw ((vector::halfvec({})) halfvec_ip_ops) "
            "WHERE encoder_id = {} AND flip_tta = {}"
        ).format(Identifier(index_name(encoder, flip)), dim, encoder, flip)
    )


def build_mb(connection: Connection) -> int:
    """How much memory the server may take to build an index, in MB: the whole of it, up to 2 GB."""
    (means,) = _one(connection, "SELECT count(*) FROM mean", {})
    return min(_MOST_BUILD_MB, 64 + means * _BUILD_BYTES_A_MEAN // 1_000_000)


def _one(connection: Connection, query: LiteralString, values: dict[str, int]) -> tuple[int, ...]:
    [row] = connection.execute(query, values).fetchall()
    return row
