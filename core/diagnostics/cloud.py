"""Embeddings with a table of facts: the points of a map, from a data set's pictures or a gallery's templates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.evaluation.embedding import Embedded
from core.evaluation.identification import Templates, identify
from core.evaluation.pictures import Picture
from core.evaluation.views import View
from core.gallery.records import Space, StoredTemplate
from core.gallery.store import Gallery

HR_VIEW = "HR"
RIGHT, WRONG, ALONE = "right person first", "taken for somebody else", "nothing to compare with"
"""Outcomes of searching a point among all full-size points without its own photograph."""

COLUMNS = ("identity", "image", "view", "hr", "photo", "path", "template", "owner")


@dataclass(frozen=True, eq=False)
class Cloud:
    """`vectors` (N, D) float32 unit rows, and `table` with a row for each and COLUMNS.

    view: "HR" or a size as "16 px"; hr: the row of the same photograph at full size, -1 where there is none; photo: a
    number that versions of one photograph share; path: the file that shows it, "" for templates; template, owner: the
    numbers of a gallery's template and its person, -1 for pictures. `key` names the content, for caches.
    """

    vectors: NDArray[np.float32]
    table: pd.DataFrame
    key: str

    def __len__(self) -> int:
        return len(self.table)

    @property
    def views(self) -> list[str]:
        """HR first, then sizes from large to small, as far as they are there."""
        return sorted(self.table["view"].unique(), key=_size_of, reverse=True)

    def only(self, view: str) -> NDArray[np.int64]:
        """The rows of one view."""
        return np.flatnonzero((self.table["view"] == view).to_numpy())


def cloud_of_pictures(pictures: Sequence[Picture], embedded: Mapping[View, Embedded]) -> Cloud:
    """The acquired pictures of every view. `embedded` holds a row a picture, as `embed` gives it.

    Raises SettingsInvalid when no picture was acquired in any view.
    """
    parts, vectors = [], []
    for view, one in embedded.items():
        there = np.flatnonzero(one.acquired)
        chosen = [pictures[int(row)] for row in there]
        small = view.size_px is not None and view.degradation == "stored"
        parts.append(
            pd.DataFrame(
                {
                    "identity": [picture.identity for picture in chosen],
                    "image": [picture.name for picture in chosen],
                    "view": view.probe,
                    "photo": there,
                    "path": [
                        str(picture.vlr[view.size_px].path if small and view.size_px else picture.path)
                        for picture in chosen
                    ],
                    "template": -1,
                    "owner": -1,
                }
            )
        )
        vectors.append(one.vectors[there])
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    stacked = np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)
    return _cloud(stacked, table, "no face was found in any picture")


def cloud_of_gallery(gallery: Gallery, space: Space) -> Cloud:
    """Every template that `space` meets. Raises SettingsInvalid when there is none."""
    rows, vectors = [], []
    photos: dict[tuple[int, str], int] = {}
    for person in gallery.identities(space=space):
        for template in gallery.templates(person.id, space=space) if person.in_space else ():
            photo = photos.setdefault((person.id, photograph_of(template)), len(photos))
            view = HR_VIEW if template.size_px is None else f"{template.size_px} px"
            rows.append((person.name, template.source, view, photo, "", template.id, person.id))
            vectors.append(template.vector)
    names = ["identity", "image", "view", "photo", "path", "template", "owner"]
    table = pd.DataFrame(rows, columns=names)
    stacked = np.stack(vectors) if vectors else np.zeros((0, space.dim), np.float32)
    return _cloud(stacked, table, "nobody has a template that the weights in use can search")


def photograph_of(template: StoredTemplate) -> str:
    """Return the key that templates of one photograph share: its hash, else the template's own number."""
    return template.image_sha256 or f"template {template.id}"


def outcomes(cloud: Cloud) -> pd.DataFrame:
    """For each point: `outcome` (RIGHT, WRONG or ALONE), `genuine` and `impostor` score, and `taken_for`.

    Searched among all full-size points (all points where there is none of full size), the point's own
    photograph left out. `taken_for` is the best other person, whether or not that is the first.
    """
    names, people = np.unique(cloud.table["identity"].to_numpy(dtype=str), return_inverse=True)
    photos = cloud.table["photo"].to_numpy(dtype=np.int64)
    enrolled = cloud.only(HR_VIEW)
    enrolled = enrolled if len(enrolled) else np.arange(len(cloud))
    found = identify(
        Templates(cloud.vectors, people.astype(np.int64), photos),
        [Templates(cloud.vectors[enrolled], people[enrolled].astype(np.int64), photos[enrolled])],
    )
    alone = np.isnan(found.genuine)
    with np.errstate(invalid="ignore"):
        first = found.rank == 1
    return pd.DataFrame(
        {
            "outcome": np.where(alone, ALONE, np.where(first, RIGHT, WRONG)),
            "genuine": found.genuine,
            "impostor": found.impostor,
            "taken_for": [str(names[person]) if person >= 0 else "" for person in found.impostor_person],
        }
    )


def drawn_people(pictures: Sequence[Picture], most: int, seed: int = 0) -> list[Picture]:
    """All pictures, or those of people drawn at random until `most` are reached: people stay whole, order is kept."""
    if len(pictures) <= most:
        return list(pictures)
    counts = pd.Series([picture.identity for picture in pictures]).value_counts().sort_index()
    order = counts.sample(frac=1, random_state=seed)
    chosen = set(order.index[(order.cumsum() <= most).to_numpy()])
    return [picture for picture in pictures if picture.identity in chosen] or list(pictures[:most])


def _cloud(vectors: NDArray[np.float32], table: pd.DataFrame, because: str) -> Cloud:
    if not len(table):
        raise SettingsInvalid(f"There is nothing to show: {because}.", "Choose other pictures, or enrol a person.")
    full = table[table["view"] == HR_VIEW].drop_duplicates("photo")
    at = dict(zip(full["photo"], full.index, strict=True))
    table = table.assign(hr=[at.get(photo, -1) for photo in table["photo"]])[list(COLUMNS)]
    digest = hashlib.sha256(np.ascontiguousarray(vectors).tobytes())
    digest.update("\n".join(f"{a}\0{b}" for a, b in zip(table["identity"], table["view"], strict=True)).encode())
    return Cloud(np.ascontiguousarray(vectors, dtype=np.float32), table, digest.hexdigest())


def _size_of(view: str) -> int:
    return 112 if view == HR_VIEW else int(view.split(" ", maxsplit=1)[0])
