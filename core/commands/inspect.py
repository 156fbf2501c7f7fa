"""`inspect`: compare super-resolution with the truth on a face or a data set, as a sheet and as figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.shared.common import UsageMistake, example, gallery_place, user_path
from core.commands.shared.option_types import GalleryOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import EncoderOptions
from core.commands.shared.printing import progress, progress_line, say, say_json
from core.settings import load_settings
from core.system.atomic_file import write_atomically
from core.system.server_address import may_be_there

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.evaluation.pictures import Picture
    from core.inspection.reference import Reference
    from core.inspection.subject import Reduction
    from core.inspection.values import Inspection
    from core.pipeline import Pipeline


def add_to(app: typer.Typer) -> None:
    app.command(
        "inspect",
        epilog=example(
            "inspect photo.jpg --size 16 --out sheet.png",
            "inspect --dataset lfw --image Ada__1 --size 24 --json",
            "inspect --dataset lfw --split test --order loss --faces 60 --out contact.png",
        ),
    )(inspect)


@takes_options
def inspect(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="A photograph, or an aligned crop.")] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="FOLDER|NAME", help="A data set instead of IMAGE.")
    ] = None,
    face: Annotated[
        str | None,
        typer.Option("--image", metavar="NAME", help="With --dataset: only this image, by its path or pair."),
    ] = None,
    split: Annotated[
        Literal["train", "val", "test"] | None, typer.Option("--split", help="With --dataset: only this split.")
    ] = None,
    order: Annotated[
        Literal["listed", "psnr", "similarity", "wrong", "gain", "loss"],
        typer.Option(
            "--order", help="Order of faces: worst psnr or similarity first, wrong ones, largest gain or loss by DSR."
        ),
    ] = "listed",
    faces: Annotated[
        int, typer.Option("--faces", min=1, max=200, help="With --dataset: faces on the contact sheet.")
    ] = 24,
    among: Annotated[
        int | None,
        typer.Option("--among", min=1, help="Choose them among this many images, evenly drawn; default: all."),
    ] = None,
    size: Annotated[int, typer.Option("--size", min=8, max=64, help="Side of the small face in px.")] = 24,
    degradation: Annotated[
        Literal["bicubic", "camera", "stored"],
        typer.Option("--degradation", help="How it is degraded; stored: the data set's own VLR files."),
    ] = "bicubic",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the camera degradation.")] = 0,
    identity: Annotated[
        str | None, typer.Option("--identity", metavar="NAME", help="The person in IMAGE, to report the rank.")
    ] = None,
    saliency: Annotated[
        int | None,
        typer.Option(
            "--saliency", min=1, help="With --dataset: test the saliency map against chance on this many faces."
        ),
    ] = None,
    gallery_path: GalleryOption = None,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE.png", help="Write the sheet to this file.")] = None,
    as_json: JsonOption = False,
    options: EncoderOptions = EncoderOptions(),
) -> None:
    """Show the super-resolution of a face beside the truth, with figures and whether it helps.

    With IMAGE the largest face is used and the gallery is searched; with --dataset all HR images are searched, except
    the face's own. Super-resolved pictures carry a label: their detail is invented. Where no network is in use, name
    the one that ships: --upscaler edgeface-dsr.
    """
    if (image is None) == (dataset is None):
        raise UsageMistake("Name a photograph, or a data set with --dataset.", "One of the two, not both.")
    if out is not None and user_path(out).is_dir():
        raise UsageMistake(f"--out {out} is a folder.", "Name a file.")
    from core.inspection.subject import Reduction

    reduction = Reduction(size, degradation, seed)
    if image is not None:
        gallery = gallery_place(load_settings(), gallery_path)
        pipeline = options.pipeline(gallery_path=gallery if may_be_there(gallery) else None)
        _print_inspection(_of_photograph(pipeline, image, reduction, identity or ""), out, as_json)
        return
    pictures, name = _pictures(dataset or "", split)
    pipeline = options.pipeline()
    if saliency is not None:
        _print_saliency(pipeline, pictures, reduction, saliency, name, as_json)
        return
    reference = _reference(pipeline, pictures, name)
    if face is not None:
        from core.inspection.face import inspect_face
        from core.inspection.subject import subject_of_picture

        _print_inspection(
            inspect_face(pipeline, subject_of_picture(_named(pictures, face), reduction), reference), out, as_json
        )
        return
    _print_survey(pipeline, pictures, reference, reduction, order, faces, among, name, out, as_json)


def _of_photograph(pipeline: Pipeline, image: str, reduction: Reduction, identity: str) -> Inspection:
    from core.images import read_image
    from core.inspection.face import inspect_face
    from core.inspection.reference import reference_of_index
    from core.inspection.subject import subjects_of_photograph
    from core.pipeline import NoFace

    path = user_path(image)
    found = subjects_of_photograph(pipeline, read_image(path), path.name, reduction)
    if not found:
        raise NoFace(f"No face was found in {path.name}.", "Choose a photograph in which the face can be seen.")
    reference = reference_of_index(pipeline.gallery.store.index(pipeline.space))
    return inspect_face(pipeline, found[0], reference if reference.size else None, identity=identity)


def _pictures(dataset: str, split: str | None) -> tuple[Sequence[Picture], str]:
    from core.commands.evaluate.options import source_of
    from core.dataset.manifest import read_dataset
    from core.evaluation.pictures import pictures_of_dataset

    found = read_dataset(Path(source_of(dataset)))
    return pictures_of_dataset(found, split), f"{found.info.name}{f' {split}' if split else ''}"


def _named(pictures: Sequence[Picture], face: str) -> Picture:
    found = [one for one in pictures if face in (one.name, Path(one.name).name, Path(one.name).stem)]
    if not found:
        raise UsageMistake(f"There is no image {face} here.", f"One is {pictures[0].name}.")
    return found[0]


def _reference(pipeline: Pipeline, pictures: Sequence[Picture], name: str) -> Reference:
    from core.inspection.survey import reference_of_dataset

    with progress_line():
        return reference_of_dataset(
            pipeline, load_settings(), pictures, name, on_progress=lambda done, of: progress(f"embed {done} of {of}")
        )


def _print_inspection(inspection: Inspection, out: str | None, as_json: bool) -> None:
    if out is not None:
        from core.inspection.sheet import sheet_png

        write_atomically(user_path(out), sheet_png(inspection))
    if as_json:
        say_json(inspection.figures())
        return
    say(inspection.verdict.sentence)
    for one in inspection.enlarged:
        if one is inspection.hr:
            continue
        parts = [one.caption]
        if one.psnr_db is not None and one.ssim is not None and one.similarity is not None:
            parts.append(f"PSNR {one.psnr_db:.2f} dB, SSIM {one.ssim:.3f}, cosine to HR {one.similarity:.3f}")
        if one.ranking is not None and one.ranking.nearest:
            parts.append(", ".join(f"{near.name} {near.score:.2f}" for near in one.ranking.nearest))
        say(f"  {'; '.join(parts)}")
    if out is not None:
        say(f"The sheet is in {out}.")


def _print_survey(
    pipeline: Pipeline,
    pictures: Sequence[Picture],
    reference: Reference,
    reduction: Reduction,
    order: str,
    faces: int,
    among: int | None,
    name: str,
    out: str | None,
    as_json: bool,
) -> None:
    from core.inspection.contact import contact_png, figures_line, tiles
    from core.inspection.survey import ORDERS, default_figure_cache, ordered, spread, survey

    chosen = spread(pictures, among)
    with progress_line():
        table = survey(
            pipeline,
            chosen,
            reduction,
            reference,
            store=default_figure_cache(load_settings()),
            on_progress=lambda done, of: progress(f"measure {done} of {of}"),
        )
    rows = ordered(table, order).head(faces)
    protocol = (
        f"{len(chosen):,} of {len(pictures):,} images of {name}, {reduction.size_px} px by {reduction.degradation}; "
        f"encoder {pipeline.encoder.info.path.stem}, upscaler {pipeline.upscaler.name}"
    )
    if out is not None:
        by_hash = {picture.sha256: picture for picture in chosen}
        shown = tiles(pipeline, [by_hash[sha256] for sha256 in rows["sha256"]], reduction)
        write_atomically(user_path(out), contact_png(shown, rows, ORDERS[order], protocol))
    if as_json:
        say_json({"protocol": protocol, "order": order, "reference": reference.label, "faces": _records(rows)})
        return
    say(f"{ORDERS[order]}, {protocol}. Searched among {reference.label}.")
    for _, row in rows.iterrows():
        say(f"  {row['image']}: {figures_line(row)}")
    if out is not None:
        say(f"The contact sheet is in {out}.")


def _print_saliency(
    pipeline: Pipeline, pictures: Sequence[Picture], reduction: Reduction, faces: int, name: str, as_json: bool
) -> None:
    from core.inspection.saliency_trial import saliency_trial
    from core.inspection.survey import spread

    table = saliency_trial(
        pipeline, spread(pictures, faces), reduction, on_progress=lambda done, of: progress(f"cover {done} of {of}")
    )
    progress("")
    if as_json:
        say_json({"data": name, "size_px": reduction.size_px, "faces": _records(table)})
        return
    say(
        f"{len(table)} faces of {name} at {reduction.size_px} px, encoder {pipeline.encoder.info.path.stem}, upscaler "
        f"{pipeline.upscaler.name}: covering a tenth lowers the cosine to HR by"
    )
    say(f"  {table['top'].mean():.3f} where the map is highest")
    for column, words in (("elsewhere", "the same shape at random places"), ("scattered", "random cells of 8 px")):
        more = int((table["top"] > table[column]).sum())
        say(f"  {table[column].mean():.3f} for {words} (the map's tenth counts more in {more} of {len(table)} faces)")


def _records(rows: Any) -> list[dict[str, Any]]:
    """Rows for JSON, with None for unknown values and the PSNR of equal pictures."""
    return [{name: _finite(value) for name, value in row.items()} for row in rows.to_dict("records")]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
