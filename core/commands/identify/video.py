"""`identify video` and `identify rate`: recognise people in a file, camera or stream, and measure the rate."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.shared.common import UsageMistake, example, gallery_place, image_files, open_gallery, user_path
from core.commands.shared.option_types import (
    DEFAULT_THRESHOLD,
    DetachOption,
    GalleryOption,
    JsonOption,
    ThresholdOption,
    TieMarginOption,
)
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import EncoderOptions
from core.commands.shared.printing import progress, say, say_json, say_table
from core.settings import TIE_MARGIN, load_settings
from core.system.server_address import may_be_there, resolved_place

if TYPE_CHECKING:
    from core.jobs.events import Event
    from core.jobs.run_dir import Run

SizeOption = Annotated[
    Literal["16", "24", "32"] | None,
    typer.Option("--size", help="Simulate distance: shrink each frame until its largest face has this many px."),
]


def add_to(group: typer.Typer) -> None:
    group.command(
        "video",
        epilog=example(
            "identify video hall.mp4 --out annotated.mp4",
            "identify video rtsp://camera.local:554/stream --seconds 600 --log-sightings",
            "identify video 0 --seconds 30 --json",
        ),
    )(video)
    group.command("rate", epilog=example("identify rate --faces 3 --size 32", "identify rate --photos people/ --json"))(
        rate
    )


@takes_options
def video(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A video file, a camera's number or device, or a stream's address.")
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Copy the annotated video to this file (.mp4).")
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Copy the table of faces to this file.")
    ] = None,
    gallery_path: GalleryOption = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.1, help="Seconds to process; default: a whole file, an hour of a live source."),
    ] = None,
    looks: Annotated[float, typer.Option("--looks", min=0.1, max=60, help="Frames to process of each second.")] = 10.0,
    size: SizeOption = None,
    far: Annotated[
        bool, typer.Option("--far", help="For a wide view with small faces: search every frame enlarged, in tiles.")
    ] = False,
    log_sightings: Annotated[
        bool, typer.Option("--log-sightings", help="Store sightings in the gallery, where its rule allows it.")
    ] = False,
    keep_faces: Annotated[
        bool, typer.Option("--keep-faces", help="Keep the best crop of each face in the run's folder.")
    ] = False,
    threshold: ThresholdOption = DEFAULT_THRESHOLD,
    tie_margin: TieMarginOption = TIE_MARGIN,
    detach: DetachOption = False,
    as_json: JsonOption = False,
    options: EncoderOptions = EncoderOptions(),
) -> None:
    """Say who is in a video: each face is tracked, and recognised by its frames together.

    Runs in a process of its own; the run's folder holds the table (faces.csv) and the annotated video. A stream that
    drops is reconnected. Ctrl-C ends the processing; results up to that point are kept.
    """
    from core.jobs.launch import launch
    from core.video.run_config import VideoConfig
    from core.video.sources import source_of
    from core.video.stream_credentials import store_address

    settings = load_settings()
    found = source_of(source)
    for target, ending in ((out, ".mp4"), (csv, ".csv")):
        if target is not None and user_path(target).suffix.lower() != ending:
            raise UsageMistake(f"{target} doesn't end in {ending}.", f"Name a {ending} file.")
    if detach and (out is not None or csv is not None):
        raise UsageMistake("--detach doesn't wait, so nothing can be copied.", "Find the files in the run's folder.")
    open_gallery(gallery_path).close()
    config = VideoConfig(
        source=store_address(settings, found.address),
        seconds=seconds,
        looks_per_s=looks,
        reduce_to_px=int(size) if size else None,
        small_faces=far,
        keep_faces=keep_faces,
        log_sightings=log_sightings,
        gallery=str(resolved_place(gallery_place(settings, gallery_path))),
        threshold=threshold,
        tie_margin=tie_margin,
        **_encoder_fields(options),
    )
    run = launch(settings, "video", config.values(), slug=_slug(found.shown))
    if detach:
        say_json({"run": run.id, "folder": str(run.path)}) if as_json else say(f"Started {run.id}")
        return
    report = _wait(run, live=found.live)
    _copy(run.path / str(report["table"]), csv)
    _copy(run.path / str(report["video"]) if report.get("video") else None, out)
    if as_json:
        say_json({**report, "run": run.id, "folder": str(run.path)})
        return
    say(str(report["text"]))
    if report["people"]:
        say_table(
            ("person", "in sight, s", "from, s", "to, s", "score"),
            [(p["identity"], p["seconds"], p["from_s"], p["to_s"], f"{p['score']:.2f}") for p in report["people"]],
        )
    say(f"Table and video: {run.path}")


@takes_options
def rate(
    photos: Annotated[
        str | None, typer.Option("--photos", metavar="FOLDER", help="Photographs of faces; default: drawn ones.")
    ] = None,
    faces: Annotated[int, typer.Option("--faces", min=1, max=12, help="Faces in each frame.")] = 1,
    face_px: Annotated[
        int | None, typer.Option("--face-px", min=12, max=200, help="Size of the faces; default: as large as fits.")
    ] = None,
    size: SizeOption = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="Seconds to measure.")] = 30.0,
    frames_per_s: Annotated[float, typer.Option("--frames-per-s", min=1, max=120, help="The camera's rate.")] = 30.0,
    gallery_path: GalleryOption = None,
    as_json: JsonOption = False,
    options: EncoderOptions = EncoderOptions(),
) -> None:
    """Measure the rate of live identification on this machine, with frames of 640 x 480 px at a camera's rate.

    Counts new results a second (median over the seconds), the time from a frame to its result (median and 95th
    percentile), each step's milliseconds, and memory before and after. Other load on the machine affects the figures.
    """
    from core.video.live import LiveSettings
    from core.video.measure import measure_rate
    from core.video.synthetic_clip import actors, clip_frames

    path = gallery_place(load_settings(), gallery_path)
    pipeline = options.pipeline(gallery_path=path if may_be_there(path) else None)
    with pipeline.gallery.store:
        cast = actors(_pictures(photos, faces), face_px, pipeline.detector)
        rates = measure_rate(
            pipeline,
            list(clip_frames(cast, 4.0)),
            seconds=seconds,
            frames_per_s=frames_per_s,
            settings=LiveSettings(int(size) if size else None),
            on_second=lambda second: progress(f"{second} of {seconds:.0f} s"),
        )
        progress("")
        protocol = {
            "encoder": pipeline.encoder.name,
            "precision": pipeline.encoder.info.precision,
            "upscaler": pipeline.upscaler.name,
            "frame": "640 x 480",
            "faces_shown": faces,
            "face_px": face_px,
            "reduced_to_px": int(size) if size else None,
            "gallery_size": pipeline.gallery.size,
        }
    if as_json:
        say_json({"protocol": protocol, **rates.as_dict()})
        return
    say(f"{rates.results_per_s:.0f} results a second with {rates.faces:.1f} faces, from {frames_per_s:.0f} frames")
    say(f"latency {rates.latency_p50_ms:.0f} ms, 95 % within {rates.latency_p95_ms:.0f} ms")
    say(", ".join(f"{step} {ms:.1f} ms" for step, ms in rates.ms_by_step.items()))
    say(f"memory {rates.rss_mb[0]:.0f} MB, {rates.rss_mb[1]:.0f} MB after {rates.seconds:.0f} s")
    say(f"enlarged by {protocol['upscaler']}, embedded by {protocol['encoder']} ({protocol['precision']})")


def _pictures(photos: str | None, faces: int) -> list[Any]:
    from core.images import read_image

    if photos is None:
        from core.video.synthetic_clip import drawn_people

        return drawn_people(faces)
    folder = user_path(photos)
    files = [str(each) for each in sorted(folder.iterdir())] if folder.is_dir() else [photos]
    # A folder of people's folders gives one photograph of each.
    found = [image_files([file])[0] for file in files[:faces]]
    if len(found) < faces:
        raise UsageMistake(f"{photos} holds {len(found)} photographs, {faces} faces were asked for.", "Add some.")
    return [read_image(path) for path in found]


def _encoder_fields(options: EncoderOptions) -> dict[str, Any]:
    """The encoder and upscaler for a run's config, files by absolute path. Raises what resolving them raises."""
    from core.models.encoders import resolve_weights
    from core.models.upscalers import resolve_upscaler

    settings = load_settings()
    weights = resolve_weights(settings, options.weights)
    upscaler = None if options.skip_dsr else resolve_upscaler(settings, options.upscaler, weights)
    return {
        "weights": str(Path(weights).resolve()),
        "upscaler": str(Path(upscaler).resolve()) if upscaler is not None else "bicubic",
        "skip_dsr": options.skip_dsr,
        "use_tta": options.use_tta,
        "device": options.device,
    }


def _slug(shown: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in Path(shown).stem.lower()).strip("-") or "video"


def _wait(run: Run, *, live: bool) -> dict[str, Any]:
    """The run's report, also when a live source was ended with Ctrl-C. Raises UsageMistake."""
    from core.commands.shared.runs import wait_for
    from core.jobs.launch import follow

    try:
        state = wait_for(run, _show)
    except KeyboardInterrupt:
        if not live:
            raise
        for _ in follow(run):
            pass
        state = run.state()
    report = run.report
    if report is None or state.status not in ("done", "stopped"):
        raise UsageMistake(
            state.error or f"{run.id} is {state.status}.", state.next_step or f"See edgeface-studio runs show {run.id}"
        )
    return dict(report)


def _show(event: Event) -> None:
    if event.kind == "progress":
        data = event.data
        of = f" of {data['total']}" if data.get("total") else ""
        progress(
            f"{data.get('done', 0)}{of} s, {data.get('faces', 0)} faces, {data.get('results_per_s', 0):.1f} a second"
        )
    elif event.kind == "log" and event.data.get("text"):
        progress(str(event.data["text"]))


def _copy(path: Path | None, target: str | None) -> None:
    if path is None or target is None:
        return
    from core.system.atomic_file import write_atomically

    if path.stat().st_size < 50_000_000:
        write_atomically(user_path(target), path.read_bytes())
        return
    beside = user_path(target).with_name(f".{user_path(target).name}.part")
    shutil.copyfile(path, beside)
    beside.replace(user_path(target))
