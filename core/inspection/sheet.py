"""An inspection as one PNG: pictures at one scale, difference maps, figures, and the label on what is invented."""

from __future__ import annotations

import io
import json
import textwrap

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from core.images import RGB
from core.inspection.colours import colour_bar, difference_map, font, labelled, shared_scale
from core.inspection.values import INVENTED, Enlarged, Inspection
from core.system.text import printable

_PAPER, _INK, _QUIET, _LINE = "#FBFAF7", "#1D282B", "#5C666A", "#DCD8CE"
_EDGE, _GAP, _SIDE = 28, 16, 224
_ACROSS = 4
_WIDTH = 2 * _EDGE + _ACROSS * _SIDE + (_ACROSS - 1) * _GAP
_TEXT, _SMALL, _TITLE = 15, 13, 24
_NAME_CHARS = 26


def sheet_png(inspection: Inspection) -> bytes:
    """The sheet as PNG bytes; its figures are also in the file, as JSON in the text chunk "inspection".

    Every pixel of a picture is a whole number of the sheet's: nothing is smoothed. Names are drawn as they are.
    """
    canvas = Image.new("RGB", (_WIDTH, 1_400), _PAPER)
    draw = ImageDraw.Draw(canvas)
    y = _heading(draw, inspection)
    y = _pictures(canvas, draw, inspection, y)
    y = _maps(canvas, draw, inspection, y)
    y = _figures(draw, inspection, y)
    y = _protocol(draw, inspection, y)
    facts = PngImagePlugin.PngInfo()
    facts.add_itxt("inspection", json.dumps(inspection.figures(), allow_nan=False))
    if inspection.dsr is not None:
        facts.add_text("Comment", INVENTED)
    buffer = io.BytesIO()
    canvas.crop((0, 0, _WIDTH, y + _EDGE)).save(buffer, format="PNG", pnginfo=facts)
    return buffer.getvalue()


def enlarge_pixels(rgb: RGB, side: int) -> RGB:
    """Square pixels at least once each: (s, s, 3) to (side, side, 3) by repetition alone."""
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.NEAREST), dtype=np.uint8)


def shown_name(name: str, most: int = _NAME_CHARS) -> str:
    """A name as the sheet draws it: printable, on one line, cut where it is long."""
    clean = printable(" ".join(name.split()))
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def _heading(draw: ImageDraw.ImageDraw, inspection: Inspection) -> int:
    subject = inspection.subject
    who = shown_name(subject.identity or subject.name, 60)
    draw.text((_EDGE, _EDGE), f"{who}, {subject.size_px} px", font=font(_TITLE), fill=_INK)
    y = _EDGE + _TITLE + 10
    return _paragraph(draw, inspection.verdict.sentence, y, _TEXT, _INK) + 8


def _pictures(canvas: Image.Image, draw: ImageDraw.ImageDraw, inspection: Inspection, y: int) -> int:
    subject = inspection.subject
    cells: list[tuple[str, RGB]] = [(f"VLR, {subject.size_px} px", enlarge_pixels(subject.vlr, _SIDE))]
    for one in inspection.enlarged:
        picture = enlarge_pixels(one.image, _SIDE)
        cells.append((shown_name(one.name), labelled(picture) if one.invented else picture))
    for place, (title, picture) in enumerate(cells):
        _cell(canvas, draw, place, y, title, picture)
    return y + _SIDE + _TEXT + 22


def _maps(canvas: Image.Image, draw: ImageDraw.ImageDraw, inspection: Inspection, y: int) -> int:
    maps = [one for one in inspection.enlarged[:-1] if one.difference is not None and inspection.hr is not None]
    if not maps:
        return y
    scale = shared_scale([one.difference for one in maps if one.difference is not None])
    for place, one in enumerate(maps, start=1):
        assert one.difference is not None
        _cell(
            canvas,
            draw,
            place,
            y,
            f"|{shown_name(one.name, 18)} - HR|",
            enlarge_pixels(difference_map(one.difference, scale), _SIDE),
        )
    bar = colour_bar(_SIDE, 14)
    canvas.paste(Image.fromarray(bar), (_EDGE, y + _SIDE // 2))
    draw.text((_EDGE, y + _SIDE // 2 + 20), "0", font=font(_SMALL), fill=_QUIET)
    draw.text((_EDGE + _SIDE, y + _SIDE // 2 + 20), f"{scale} of 255", font=font(_SMALL), fill=_QUIET, anchor="ra")
    draw.text((_EDGE, y + _SIDE // 2 - 24), "Difference, one scale", font=font(_SMALL), fill=_QUIET)
    return y + _SIDE + _TEXT + 22


def _cell(canvas: Image.Image, draw: ImageDraw.ImageDraw, place: int, y: int, title: str, picture: RGB) -> None:
    x = _EDGE + place * (_SIDE + _GAP)
    canvas.paste(Image.fromarray(picture), (x, y))
    draw.text((x, y + _SIDE + 6), title, font=font(_TEXT), fill=_INK)


def _figures(draw: ImageDraw.ImageDraw, inspection: Inspection, y: int) -> int:
    titles = ("", "PSNR, dB", "SSIM", "cosine to HR", "rank", "nearest")
    columns = (_EDGE, _EDGE + 250, _EDGE + 350, _EDGE + 430, _EDGE + 550, _EDGE + 640)
    for x, title in zip(columns, titles, strict=True):
        draw.text((x, y), title, font=font(_SMALL), fill=_QUIET)
    y += _SMALL + 8
    for one in inspection.enlarged:
        draw.line((_EDGE, y, _WIDTH - _EDGE, y), fill=_LINE)
        for x, text in zip(columns, figure_cells(one), strict=True):
            draw.text((x, y + 7), text, font=font(_TEXT), fill=_INK)
        y += _TEXT + 16
    return y + 8


def figure_cells(one: Enlarged) -> tuple[str, str, str, str, str, str]:
    """Name, PSNR, SSIM, cosine, rank and the two nearest, as text; "" for what isn't known."""
    ranking = one.ranking
    truth = one.psnr_db is not None and np.isinf(one.psnr_db)
    nearest = ranking.nearest[:2] if ranking else ()
    return (
        shown_name(one.name, 28),
        "" if one.psnr_db is None or truth else f"{one.psnr_db:.2f}",
        "" if one.ssim is None or truth else f"{one.ssim:.3f}",
        "" if one.similarity is None or truth else f"{one.similarity:.3f}",
        f"{ranking.rank:,} of {ranking.people:,}" if ranking and ranking.rank else "",
        ", ".join(f"{shown_name(near.name, 16)} {near.score:.2f}" for near in nearest),
    )


def _protocol(draw: ImageDraw.ImageDraw, inspection: Inspection, y: int) -> int:
    flip = ", with flip" if inspection.flip_tta else ""
    lines = [
        f"Degradation: {inspection.subject.made_small}. In recognition a face of this size is enlarged by "
        f"{inspection.in_use}.",
        f"Encoder {inspection.encoder} (SHA-256 {inspection.encoder_sha256[:16]}, {inspection.precision}{flip}); "
        f"upscaler {inspection.upscaler}"
        + (f" (SHA-256 {inspection.upscaler_sha256[:16]})." if inspection.dsr is not None else "."),
    ]
    if inspection.reference:
        lines.append(f"Searched among {inspection.reference}.")
    if inspection.dsr is not None:
        lines.append(f"{inspection.dsr.name} is {INVENTED}. It is no evidence of what the face looks like.")
    for line in lines:
        y = _paragraph(draw, line, y, _SMALL, _QUIET)
    return y


def _paragraph(draw: ImageDraw.ImageDraw, text: str, y: int, size: int, colour: str) -> int:
    """Text wrapped to the sheet's width; gives where the next line may begin."""
    letters = max(20, int((_WIDTH - 2 * _EDGE) / (0.5 * size)))
    for line in textwrap.wrap(text, letters):
        draw.text((_EDGE, y), line, font=font(size), fill=colour)
        y += size + 6
    return y
