"""The SQL of spaces: which stored templates a space meets, and the encoders that made them."""

from __future__ import annotations

from collections.abc import Collection

from core.gallery.errors import SpaceMismatch
from core.gallery.records import Space
from core.gallery.storage import Connection
from core.gallery.stored_values import insert
from core.gallery.validation import check_space

IN_SPACE = """t.encoder_id IN (SELECT id FROM encoder WHERE weights_sha256 = :weights)
    AND t.flip_tta = :flip AND (t.kind = 'hr' OR :any_upscaler = 1 OR t.upscaler_sha256 =
        CASE WHEN :bicubic_px LIKE '% ' || t.size_px || ' %' THEN 'bicubic' ELSE :upscaler END)"""
"""Which templates a space meets; `t` is the template."""


def space_parameters(space: Space) -> dict[str, str | int]:
    """The named parameters of IN_SPACE."""
    return {
        "weights": space.weights_sha256,
        "flip": int(space.flip_tta),
        "upscaler": space.upscaler,
        "bicubic_px": f" {' '.join(map(str, space.bicubic_px))} ",
        "any_upscaler": int(space.any_upscaler),
    }


def encoder_id(connection: Connection, space: Space) -> int:
    """The number of the space's encoder, added when it is new. Raises SpaceMismatch when it had another
    length.
    """
    check_space(space)
    row = connection.execute("SELECT id, dim FROM encoder WHERE weights_sha256 = ?", (space.weights_sha256,)).fetchone()
    if row is None:
        return insert(
            connection,
            "INSERT INTO encoder(name, weights_sha256, dim) VALUES (?, ?, ?)",
            (space.encoder_name, space.weights_sha256, space.dim),
        )
    if row[1] != space.dim:
        raise SpaceMismatch(
            f"These weights gave embeddings of {row[1]} numbers before, now of {space.dim}.",
            "Load the encoder again.",
        )
    return int(row[0])


def read_spaces(connection: Connection, specialists: Collection[str] = ()) -> list[tuple[Space, int, int]]:
    """(space, templates it meets, identities it meets) for every space that the stored templates allow, most
    first.

    Where an encoder has no upscaled templates, the space's upscaler is "". Templates don't tell a specialist from an
    upscaler: `specialists` are the SHA-256 of those known, whose spaces meet small faces through any upscaler.
    """
    keys = connection.execute(
        """SELECT DISTINCT e.name, e.weights_sha256, coalesce(t.upscaler_sha256, ''), t.flip_tta, e.dim
        FROM template t JOIN encoder e ON e.id = t.encoder_id"""
    ).fetchall()
    spaces = [
        Space(name, weights, upscaler, bool(flip), dim, any_upscaler=upscaler in specialists)
        for name, weights, upscaler, flip, dim in keys
    ]
    upscaled = {(space.weights_sha256, space.flip_tta) for space in spaces if space.upscaler}
    counted = []
    for space in spaces:
        if not space.upscaler and (space.weights_sha256, space.flip_tta) in upscaled:
            continue
        count = connection.execute(
            f"SELECT count(*), count(DISTINCT t.identity_id) FROM template t WHERE {IN_SPACE}",  # nosec B608  # a constant
            space_parameters(space),
        ).fetchone()
        counted.append((space, int(count[0]), int(count[1])))
    return sorted(counted, key=lambda item: (-item[1], item[0].encoder_name, item[0].upscaler))
