"""The project's recipes. The numbers of `notes` are those of the original notes."""

from __future__ import annotations

from dataclasses import replace

from core.errors import SettingsInvalid
from core.training.recipe import Augment, Head, Losses, Rates, Recipe, Stage

_JITTER = Augment(flip=0.5, brightness=0.1, contrast=0.2, saturation=0.2)
_MILD = Augment(flip=0.5, rotate_deg=5.0, scale=0.05, shift=0.04, brightness=0.08, contrast=0.2)
_STRONG = Augment(
    flip=0.5, rotate_deg=12.5, scale=0.12, shift=0.09, brightness=0.14, contrast=0.4, colour=0.1, erase=0.1, mix=0.5
)
_SMALL = (12, 14, 16, 16, 20, 24, 28, 32, 40, 48)
_SMALL_AND_HR = (12, 16, 16, 20, 24, 32, 48, 112, 112, 112)
"""16 px twice, as it has most to gain; HR three times in ten, so that it stays as good as it was."""
_SHARES = (0.25, 0.5, 0.75, 1.0)
_TO_TEACHER = Losses(teacher=1.0, classification=0.1)

NOTES = Recipe(
    name="notes",
    title="Two stages, as in the notes",
    text="A new ArcFace head on a frozen encoder, then all parts at low rates, with SR and HR embeddings pulled "
    "together.",
    batch_size=32,
    head=Head("arcface", scale=64.0, margin=0.5, label_smoothing=0.1),
    criterion="similarity",
    stages=(
        Stage(
            "stage1",
            "Training ArcFace head (backbone frozen)",
            5,
            ("head",),
            Losses(classification=1.0),
            rates=Rates(head=1e-3),
            schedule="constant",
            files=1.0,
            augment=_JITTER,
            cached_views=4,
        ),
        Stage(
            "stage2",
            "Fine-tuning entire model (backbone unfrozen)",
            20,
            ("head", "encoder"),
            Losses(classification=1.0, alignment=0.3),
            rates=Rates(head=5e-5, encoder=5e-6),
            patience=8,
            files=1.0,
            augment=_JITTER,
        ),
    ),
)

RECOMMENDED = Recipe(
    name="recommended",
    title="A frozen teacher as target",
    text="The small face's embedding is drawn to the one that the starting weights give the large face, and away from "
    "everybody else's; first through bicubic, then together with the super-resolution network.",
    batch_size=64,
    # Centres from the frozen teacher can't collapse, and need no stage of their own.
    head=Head("prototypes", scale=32.0, margin=0.2, label_smoothing=0.0),
    criterion="eer",
    average=_SHARES,
    stages=(
        Stage(
            "adapt",
            "Adapting the encoder to small faces",
            5,
            ("encoder",),
            _TO_TEACHER,
            rates=Rates(encoder=3e-4),
            schedule="one-cycle",
            warmup=0.15,
            weight_decay=0.05,
            sizes_px=_SMALL_AND_HR,
            camera=0.5,
            photographed=0.5,
            through="bicubic",
            augment=_MILD,
            teacher_view="same",
            ema=0.99,
            clip=5.0,
        ),
        Stage(
            "together",
            "Training encoder and super-resolution together",
            14,
            ("encoder", "upscaler"),
            replace(_TO_TEACHER, pixel=0.5),
            rates=Rates(encoder=3e-4, upscaler=2e-4),
            schedule="one-cycle",
            warmup=0.15,
            weight_decay=0.05,
            sizes_px=_SMALL_AND_HR,
            camera=0.5,
            photographed=0.5,
            augment=_MILD,
            teacher_view="same",
            ema=0.99,
            clip=5.0,
        ),
    ),
)

SPECIALIST = Recipe(
    name="specialist",
    title="A specialist for small faces",
    text="A second network for faces of up to 40 px, in the space of the starting weights: large faces stay with those "
    "weights, galleries stay valid, and no super-resolution is needed. Half of its faces are made small as a camera "
    "does it.",
    batch_size=64,
    criterion="eer",
    role="specialist",
    average=_SHARES,
    stages=(
        Stage(
            "specialise",
            "Training a specialist for small faces",
            20,
            ("encoder",),
            Losses(teacher=1.0, contrast=0.1),
            rates=Rates(encoder=3e-4),
            schedule="cosine",
            warmup=0.012,  # 200 steps of 53,000 faces
            floor=0.01,
            weight_decay=0.05,
            decay_all=False,
            sizes_px=_SMALL,
            camera=0.55,
            photographed=0.5,
            through="bicubic",
            augment=Augment(flip=0.5, brightness=0.08, contrast=0.2, occlude=0.06),
            ema=0.998,
            clip=5.0,
        ),
    ),
)

DSR = Recipe(
    name="dsr",
    title="Super-resolution for pixels and identity",
    text="From 12 to 48 px to 112 px: close to the pixels of the large face, and to its embedding under a frozen "
    "encoder. Half of its faces are made small as a camera does it; sizes at which bicubic measures better stay with "
    "bicubic.",
    batch_size=32,
    criterion="eer",
    stages=(
        Stage(
            "dsr",
            "Training super-resolution",
            8,
            ("upscaler",),
            Losses(pixel=1.0, identity=0.1),
            rates=Rates(upscaler=1e-3),
            schedule="one-cycle",
            warmup=0.1,
            weight_decay=0.0,
            sizes_px=(12, 16, 16, 20, 24, 24, 28, 32, 32, 40, 48),
            camera=0.5,
            photographed=0.5,
            augment=Augment(flip=0.5),
            teacher_view="same",
            ema=0.999,
            clip=1.0,
        ),
    ),
)

STARTER = Recipe(
    name="starter",
    title="An encoder from random weights, taught by official ones",
    text="Random initialisation; student and teacher see the same strongly changed and mixed picture, and the "
    "student matches the teacher's feature maps first, then its embeddings, of small faces too.",
    batch_size=64,
    criterion="eer",
    start="random",
    layer_scale=0.1,
    stages=(
        Stage(
            "features",
            "Matching the teacher stage by stage",
            25,
            ("encoder",),
            Losses(teacher=1.0, features=1.0),
            rates=Rates(encoder=2e-3),
            schedule="cosine",
            warmup=0.1,
            floor=0.8,
            weight_decay=0.05,
            decay_all=False,
            beta2=0.99,
            sizes_px=(112,),
            through="bicubic",
            augment=_STRONG,
            teacher_view="same",
            forced=True,
            ema=0.999,
            clip=5.0,
        ),
        Stage(
            "distil",
            "Distilling, small faces included",
            50,
            ("encoder",),
            Losses(teacher=1.0, features=0.5),
            rates=Rates(encoder=1.6e-3),
            schedule="cosine",
            floor=0.01,
            weight_decay=0.05,
            decay_all=False,
            beta2=0.99,
            sizes_px=(112, 112, 112, 112, 112, 112, 12, 16, 20, 24, 32),
            through="bicubic",
            augment=_STRONG,
            teacher_view="same",
            ema=0.999,
            clip=5.0,
        ),
    ),
)

PRESETS: dict[str, dict[str, Recipe]] = {
    "finetune": {"recommended": RECOMMENDED, "specialist": SPECIALIST, "notes": NOTES},
    "dsr": {"dsr": DSR},
    "starter": {"starter": STARTER},
}
"""The recipes of each kind of run by name, the default first."""


def find_preset(kind: str, name: str | None = None) -> Recipe:
    """Return the recipe of that name for runs of `kind`, or the kind's default. Raises SettingsInvalid."""
    known = PRESETS.get(kind)
    if known is None:
        raise SettingsInvalid(f"There is no training of the kind '{kind}'.", f"Choose one of {', '.join(PRESETS)}.")
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise SettingsInvalid(f"There is no preset '{name}' for {kind}.", f"Choose one of {', '.join(known)}.")
    return known[name]
