"""The demo: drawn people in the notes' layout, made in seconds; no photograph is needed."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from core.access.actor import require
from core.access.roles import Permission
from core.dataset.errors import BuildRefused
from core.dataset.journal import storage
from core.dataset.manifest import Dataset, DatasetInfo, make_frame, read_dataset, write_dataset
from core.dataset.naming import pair_key
from core.dataset.photograph import Photograph, Recipe, Taken, make_images
from core.dataset.synthetic.head import Portrait, View, portray
from core.dataset.synthetic.looks import Expression, Looks, draw_looks
from core.errors import SettingsInvalid
from core.faces.align import align, probe_px
from core.jobs.context import NO_HOOKS, Hooks

VAL_SHARE = 0.2
MAX_IDENTITIES, MAX_IMAGES = 999, 100

CAMERAS = {"051": 0.0, "050": 14.0, "140": -14.0, "041": 26.0, "130": -26.0}
"""Multi-PIE's names of frontal cameras and the yaw in degrees that a drawn head has before them."""

_LIGHTS_X = (0.0, -0.7, 0.7, -1.2, 1.2, 0.3, -0.3)


def make_demo(
    out: Path,
    identities: int = 24,
    images: int = 20,
    seed: int = 0,
    *,
    method: str = "bicubic",
    hooks: Hooks = NO_HOOKS,
) -> Dataset:
    """Draw `identities` people `images` times each into the new folder `out`: aligned HR, and VLR at 16, 24 and 32 px.

    Names are as the notes have them (007_01_02_050_08_crop_112.png: person, session, recording, camera, light). The
    last fifth of each person's images is a second session and validates: closed-set. The same arguments give the same
    bytes. `out` appears whole or not at all.

    Measured on the default of 24 x 20 (seed 0): YuNet finds all 480 crops at native size, one in each; the official
    XXS has a leave-one-out rank-1 of 100 % at 112, 32 and 24 px and of 99.8 % at 16 px. These are drawings: figures on
    them say that things work, not how well real people are recognised.

    Raises NotAllowed, BuildRefused when `out` exists, SettingsInvalid, StorageFailed.
    """
    require(Permission.DATA)
    if not 1 <= identities <= MAX_IDENTITIES or not 2 <= images <= MAX_IMAGES:
        raise SettingsInvalid(
            f"A demo has 1 to {MAX_IDENTITIES} people with 2 to {MAX_IMAGES} images, got {identities} with {images}.",
            "Choose numbers in between.",
        )
    recipe = Recipe(method=method, seed=seed)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BuildRefused(f"{out} exists already.", "Choose another folder, or remove it first.")
    with storage(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            rows = _draw_all(hidden, draw_looks(identities, seed), images, recipe, hooks)
            parameters = {**recipe.as_dict(), "identities": identities, "images": images}
            info = DatasetInfo(
                name=out.name,
                mode="closed-set",
                seed=seed,
                vlr_px=recipe.vlr_px,
                synthetic=True,
                made_by="demo",
                source="drawn faces",
                parameters=parameters,
            )
            write_dataset(hidden, make_frame(rows), info)
            if out.is_dir():
                out.rmdir()
            hidden.rename(out)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    return read_dataset(out)


def _draw_all(
    root: Path,
    people: list[Looks],
    images: int,
    recipe: Recipe,
    hooks: Hooks,
) -> list[dict[str, object]]:
    """Every image drawn and written under `root`; the manifest's rows, in order."""

    def one(person: int) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for image in range(images):
            taken = _draw(people[person], person, image, images, recipe)
            for path, content in taken.files.items():
                target = root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            rows += taken.rows
        return rows

    everything: list[dict[str, object]] = []
    pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="demo")
    try:
        for done, rows in enumerate(pool.map(one, range(len(people))), start=1):
            everything += rows
            hooks.on_event("progress", done=done * images, total=len(people) * images)
            hooks.check_stop()
    finally:
        pool.shutdown(cancel_futures=True)
    return everything


def _draw(looks: Looks, person: int, image: int, images: int, recipe: Recipe) -> Taken:
    session = "02" if image >= images - max(1, round(VAL_SHARE * images)) else "01"
    recording = "02" if image // len(CAMERAS) % 2 else "01"
    camera = list(CAMERAS)[image % len(CAMERAS)]
    identity, light = f"{person + 1:03d}", f"{image:02d}"
    portrait = draw_portrait(looks, person, image, camera, smiling=recording == "02", seed=recipe.seed)
    name = f"{identity}_{session}_{recording}_{camera}_{light}_crop_112.png"
    photograph = Photograph(
        Path(name),
        identity,
        name,
        f"drawn/{name}",
        split="val" if session == "02" else "train",
        further={"session": session, "recording": recording, "camera": camera, "illumination": light},
    )
    measures = {"probe_px": f"{probe_px(portrait.landmarks):.1f}"}
    taken = make_images(align(portrait.rgb, portrait.landmarks), photograph, recipe, measures)
    return Taken(taken.files, [{**row, "pair": pair_key(Path(name).stem)} for row in taken.rows])


def draw_portrait(looks: Looks, person: int, image: int, camera: str, *, smiling: bool, seed: int) -> Portrait:
    """One picture's pose, light and expression: the camera's and the recording's, each a little off."""
    random = np.random.RandomState([seed % 2**32, person, image])
    expression = Expression(
        smile=random.uniform(0.5, 1.0) if smiling else random.uniform(-0.25, 0.15),
        open=random.uniform(0.0, 0.8) if smiling else random.uniform(0.0, 0.1),
        brows=random.uniform(-0.6, 0.8),
        eyes=random.uniform(0.8, 1.08),
    )
    tone = random.uniform(60, 190)
    view = View(
        yaw_deg=CAMERAS[camera] + random.uniform(-4, 4),
        pitch_deg=random.uniform(-7, 7),
        roll_deg=random.uniform(-6, 6),
        light=(_LIGHTS_X[image % len(_LIGHTS_X)] + random.uniform(-0.15, 0.15), random.uniform(-0.8, 0.0), 1.0),
        contrast=random.uniform(0.35, 0.7),
        gain=random.uniform(0.85, 1.12),
        backdrop=(tone + random.uniform(-12, 12), tone, tone + random.uniform(-12, 12)),
    )
    return portray(looks, expression, view, noise_seed=int(random.randint(0, 2**31 - 1)))
