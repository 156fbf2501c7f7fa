"""Replacement of templates by re-embedding: plan, store the new ones, remove the replaced ones.

The gallery is complete at every moment, and a second start continues from what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.gallery.audit import write_audit
from core.gallery.identity_queries import read_identities, touch
from core.gallery.records import Identity, NewTemplate, Space, StoredTemplate
from core.gallery.spaces import IN_SPACE, space_parameters
from core.gallery.storage import Connection
from core.gallery.store import Gallery
from core.gallery.template_queries import insert_templates, read_template

_SAME_PHOTOGRAPH = """(n.identity_id = t.identity_id AND n.kind = t.kind
    AND coalesce(n.size_px, 0) = coalesce(t.size_px, 0) AND
    CASE WHEN n.image_sha256 != '' AND t.image_sha256 != '' THEN n.image_sha256 = t.image_sha256
    ELSE n.crop IS NOT NULL AND {crop_n} = {crop_t} END)"""

_OTHER = f"""(NOT ({IN_SPACE}) AND (t.encoder_id NOT IN (SELECT id FROM encoder WHERE weights_sha256 = :weights)
    OR (t.flip_tta = :flip AND t.kind = 'sr')))"""  # nosec B608  # a constant
"""Templates that another in the space takes the place of: of other weights, or upscaled by another upscaler. Those of
the same weights with the other flip setting aren't among them: they serve searches of their own."""

_SEARCHED = """(t.kind = 'sr' AND t.flip_tta = :flip AND t.encoder_id IN
    (SELECT id FROM encoder WHERE weights_sha256 = :weights))"""
"""Templates of small faces of the space's weights and flip, through any upscaler; a space with a specialist meets
them."""


def _own(space: Space) -> dict[str, str | int]:
    """The parameters of IN_SPACE that hold for the templates that the space makes itself: where a specialist meets
    small faces through any upscaler, those through others are made again, too, since its own are recognised better."""
    return space_parameters(replace(space, any_upscaler=False))


def _made(connection: Connection) -> str:
    """SQL for: there is a template of the same photograph in the space."""
    same = _SAME_PHOTOGRAPH.format(crop_n=_crop(connection, "n"), crop_t=_crop(connection, "t"))
    return f"EXISTS (SELECT 1 FROM template n WHERE {same} AND {IN_SPACE.replace('t.', 'n.')})"  # nosec B608  # constants


def _crop(connection: Connection, alias: str) -> str:
    """A crop as it was given: two sealed ones of the same picture differ."""
    return connection.cipher.sql(f"{alias}.crop", "crop", f"{alias}.identity_id")


@dataclass(frozen=True)
class ReplacementPlan:
    """What re-embedding into a space has to do.

    `sources` are the numbers of templates with a crop to embed, one per photograph, and `people` how many people they
    show. `searched` of them are small faces that a specialist finds as they are, through whatever upscaler they were
    made. `enrol_again` can't be found in the space and have no crop. `without_crop` counts photographs of other spaces
    without one: they stay as they are.
    """

    sources: tuple[int, ...]
    people: int
    searched: int
    enrol_again: tuple[Identity, ...]
    without_crop: int

    @property
    def photographs(self) -> int:
        return len(self.sources)


def plan_replacement(gallery: Gallery, space: Space) -> ReplacementPlan:
    """Plan the templates to make for `space` from stored crops; nothing is changed."""
    parameters = _own(space)
    with gallery.database.reading() as connection:
        made = _made(connection)
        found = connection.execute(
            f"""SELECT max(t.id), t.identity_id, max(CASE WHEN {_SEARCHED} THEN 1 ELSE 0 END) FROM template t
            WHERE t.crop IS NOT NULL AND NOT ({IN_SPACE}) AND NOT {made}
            GROUP BY t.identity_id, t.kind, t.size_px, t.image_sha256,
                CASE WHEN t.image_sha256 = '' THEN {_crop(connection, "t")} END
            ORDER BY t.identity_id, max(t.id)""",  # nosec B608  # constants and a column's name
            parameters,
        ).fetchall()
        without = connection.execute(
            f"SELECT count(*) FROM template t WHERE t.crop IS NULL AND NOT ({IN_SPACE}) AND NOT {made}",  # nosec B608
            parameters,  # constants as above
        ).fetchone()[0]
        people = read_identities(connection, space)
    reachable = {int(row[1]) for row in found}
    lost = tuple(person for person in people if person.in_space == 0 and person.id not in reachable)
    searched = sum(int(row[2]) for row in found) if space.any_upscaler else 0
    return ReplacementPlan(tuple(int(row[0]) for row in found), len(reachable), searched, lost, int(without))


def other_upscalers(gallery: Gallery, space: Space) -> dict[str, int]:
    """Count the small-face templates of the space's weights and flip that another upscaler made, by that upscaler
    ("bicubic" or a SHA-256), most first: only a space with a specialist meets them. Those whose photograph has a
    template by the space's own upscaler don't count."""
    with gallery.database.reading() as connection:
        found = connection.execute(
            f"""SELECT t.upscaler_sha256, count(*) FROM template t
            WHERE {_SEARCHED} AND NOT ({IN_SPACE}) AND NOT {_made(connection)}
            GROUP BY t.upscaler_sha256 ORDER BY count(*) DESC, t.upscaler_sha256""",  # nosec B608  # constants
            _own(space),
        ).fetchall()
    return {str(upscaler): int(count) for upscaler, count in found}


def read_sources(gallery: Gallery, template_ids: Sequence[int]) -> list[StoredTemplate]:
    """Those of the templates that are still there, in order, with their crops."""
    with gallery.database.reading() as connection:
        return [found for number in template_ids if (found := read_template(connection, number)) is not None]


def store_replacements(
    gallery: Gallery, made: Sequence[tuple[StoredTemplate, NewTemplate]], space: Space, *, actor: str = "local"
) -> int:
    """Store new templates beside the ones that they were made from, in one transaction; how many.

    Whose source was removed meanwhile, or has a template in `space` already, is passed over.
    """
    stored = 0
    with gallery.database.transaction() as connection:
        at = gallery.database.now()
        touched: set[int] = set()
        for source, new in made:
            if not _still_wanted(connection, source, space):
                continue
            insert_templates(connection, source.identity_id, [new], space, source.added_at)  # its crop is no younger
            touched.add(source.identity_id)
            stored += 1
        for identity_id in sorted(touched):
            write_audit(connection, at, actor, "re-embedded from stored crops", identity_id)
    return stored


def _still_wanted(connection: Connection, source: StoredTemplate, space: Space) -> bool:
    query = f"SELECT {_made(connection)} FROM template t WHERE t.id = :id"  # nosec B608  # constants
    row = connection.execute(query, {**_own(space), "id": source.id}).fetchone()
    return row is not None and not row[0]


def remove_replaced(gallery: Gallery, space: Space, *, actor: str = "local") -> int:
    """Remove, in one transaction, every template of other weights whose photograph has one in `space`; return their
    number.

    Photographs without one keep theirs, so nobody is lost. Raises GalleryBusy when traces couldn't be erased.
    """
    with gallery.database.transaction() as connection:
        found = connection.execute(
            f"SELECT t.id, t.identity_id FROM template t WHERE {_OTHER} AND {_made(connection)}",  # nosec B608  # constants
            _own(space),
        ).fetchall()
        at = gallery.database.now()
        for number, _ in found:
            connection.execute("DELETE FROM template WHERE id = ?", (number,))
        for identity_id in sorted({row[1] for row in found}):
            touch(connection, identity_id)
            write_audit(connection, at, actor, "templates of other weights removed", identity_id)
    gallery.tidy()
    return len(found)
