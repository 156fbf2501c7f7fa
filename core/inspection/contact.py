"""A contact sheet of up to 200 faces as one PNG: VLR, enlarged and HR of each, with its figures below."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, PngImagePlugin

from core.evaluation.pictures import Picture
from core.images import RGB
from core.inspection.colours import font
from core.inspection.sheet import enlarge_pixels, shown_name
from core.inspection.subject import Reduction, subject_of_picture
from core.inspection.values import INVENTED
from core.settings import CROP_PX
from core.sr.upscale import BicubicUpscaler

if TYPE_CHECKING:
    from core.pipeline import Pipeline

MOST_FACES = 200
_BATCH = 64
_PAPER, _INK, _QUIET, _BAND = "#FBFAF7", "#1D282B", "#5C666A", "#3A2A12"
_ACROSS, _GAP, _EDGE, _LINES = 4, 18, 24, 46


@dataclass(frozen=True, eq=False)
class Tile:
    """A face of the sheet: VLR (s, s, 3), and at 112 px the enlarged one and HR; `invented`: by a network."""

    vlr: RGB
    enlarged: RGB
    hr: RGB
    invented: bool


def tiles(
    pipeline: Pipeline,
    pictures: Sequence[Picture],
    reduction: Reduction,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Tile]:
    """The tiles of at most 200 pictures, in order. Raises what `subject_of_picture` raises."""
    made: list[Tile] = []
    chosen = pictures[:MOST_FACES]
    invented = not pipeline.upscaler.interpolates
    enlarge = pipeline.upscaler.super_resolve if invented else BicubicUpscaler().upscale
    for start in range(0, len(chosen), _BATCH):
        subjects = [subject_of_picture(picture, reduction) for picture in chosen[start : start + _BATCH]]
        large = enlarge([subject.vlr for subject in subjects])
        for subject, rgb in zip(subjects, large, strict=True):
            assert subject.hr is not None
            made.append(Tile(subject.vlr, rgb, subject.hr, invented))
        if on_progress is not None:
            on_progress(len(made), len(chosen))
    return made


def figures_line(row: pd.Series) -> str:
    """The figures of a survey's row in a line: cosine to HR by bicubic and DSR, rank."""
    if np.isnan(row["similarity_dsr"]):
        rank = "" if np.isnan(row["rank_bicubic"]) else f" · rank {row['rank_bicubic']:,.0f}"
        return f"cosine {row['similarity_bicubic']:.2f} · {row['psnr_db_bicubic']:.1f} dB{rank}"
    rank = ""
    if not np.isnan(row["rank_dsr"]):
        before, after = (f"{row[name]:,.0f}" for name in ("rank_bicubic", "rank_dsr"))
        rank = f" · rank {after}" if before == after else f" · rank {before} → {after}"
    return f"cosine {row['similarity_bicubic']:.2f} → {row['similarity_dsr']:.2f} · {row['psnr_db_dsr']:.1f} dB{rank}"


def contact_png(shown: Sequence[Tile], rows: pd.DataFrame, title: str, protocol: str) -> bytes:
    """The sheet as PNG bytes; `rows` are the survey's, in the order of `shown`. Each invented picture is labelled by
    the band below it, and the sheet by its head."""
    width = _ACROSS * (3 * CROP_PX + _GAP) - _GAP + 2 * _EDGE
    head = 96
    height = head + -(-len(shown) // _ACROSS) * (CROP_PX + 16 + _LINES) + _EDGE
    canvas = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    invented = any(tile.invented for tile in shown)
    draw.text((_EDGE, 18), title, font=font(24), fill=_INK)
    draw.text((_EDGE, 52), protocol, font=font(14), fill=_QUIET)
    middle = f"super-resolved ({INVENTED.partition(': ')[2]})" if invented else "bicubic"
    draw.text((_EDGE, 72), f"Each: VLR, {middle}, HR.", font=font(14), fill=_QUIET)
    for place, (tile, (_, row)) in enumerate(zip(shown, rows.iterrows(), strict=True)):
        x = _EDGE + place % _ACROSS * (3 * CROP_PX + _GAP)
        y = head + place // _ACROSS * (CROP_PX + 16 + _LINES)
        for column, rgb in enumerate((enlarge_pixels(tile.vlr, CROP_PX), tile.enlarged, tile.hr)):
            canvas.paste(Image.fromarray(rgb), (x + column * CROP_PX, y))
        if tile.invented:  # two lines: at 112 px one would be too small to read
            draw.rectangle((x + CROP_PX, y + CROP_PX - 22, x + 2 * CROP_PX - 1, y + CROP_PX - 1), fill=_BAND)
            for number, text in enumerate(INVENTED.split(": ")):
                draw.text(
                    (x + 1.5 * CROP_PX, y + CROP_PX - 17 + 11 * number),
                    text,
                    font=font(10),
                    fill="#FFECC8",
                    anchor="mm",
                )
        draw.text((x, y + CROP_PX + 4), shown_name(str(row["identity"]), 40), font=font(14), fill=_INK)
        draw.text((x, y + CROP_PX + 22), figures_line(row), font=font(12), fill=_QUIET)
    facts = PngImagePlugin.PngInfo()
    if invented:
        facts.add_text("Comment", INVENTED)
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", pnginfo=facts)
    return buffer.getvalue()
