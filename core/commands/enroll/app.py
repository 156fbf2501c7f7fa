"""`enroll`: enrol one person from photographs or a camera; `register` is the same command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from core.commands.shared.common import UsageMistake, boxes_of, example, gallery_place, image_files
from core.commands.shared.option_types import ActorOption, GalleryOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import PipelineOptions
from core.commands.shared.printing import note, say, say_json
from core.settings import load_settings
from core.system.server_address import is_server, may_be_there
from core.system.text import count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.gallery.records import Identity
    from core.recognition.boxes import Box
    from core.recognition.results import DraftPhoto, EnrolmentDraft
    from core.video.capture import Capture

_ONE = (
    "enroll --user-id 'Ada Lovelace' --photos ada1.jpg ada2.jpg ada3.jpg",
    "enroll --user-id 'Ada Lovelace' --photos ada/ --note 'from the archive'",
    "enroll folder people/",
    "enroll csv people.csv",
    "enroll --user-id 'Ada Lovelace' --webcam --num-captures 5",
)


class PhotosByDefault(TyperGroup):
    """A group whose default command is `photos`: `enroll --user-id ...` is `enroll photos --user-id ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args and args[0] in self.commands else ["photos", *args])


group = typer.Typer(cls=PhotosByDefault, help="Enrol people from photographs.", rich_markup_mode=None)

NoCropsOption = Annotated[bool, typer.Option("--no-crops", help="Store embeddings only, without crops of the faces.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Enrol despite warnings that a face may be another person's.")
]
MatchedOption = Annotated[
    bool,
    typer.Option(
        "--matched-sizes",
        help="Also store templates at 32, 24 and 16 px; only for places without strangers.",
    ),
]
AddOption = Annotated[bool, typer.Option("--add", help="Add to the enrolled person of that name.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="enroll")
    app.command("register", epilog=example(_ONE[0].replace("enroll", "register", 1)))(photos)


@group.command("photos", epilog=example(*_ONE))
@takes_options
def photos(
    user_id: Annotated[str, typer.Option("--user-id", metavar="NAME", help="The person's name.")],
    more: Annotated[list[str] | None, typer.Argument(metavar="PHOTO", help="Further photographs.")] = None,
    photo: Annotated[
        list[str] | None, typer.Option("--photos", metavar="PHOTO...", help="Photographs, or a folder of them.")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(
            "--box", metavar="X,Y,W,H", help="Use the face in this box (pixels) of the one photograph that is given."
        ),
    ] = None,
    note_text: Annotated[str, typer.Option("--note", metavar="TEXT", help="A remark to keep with the person.")] = "",
    webcam: Annotated[
        bool, typer.Option("--webcam", help="Take photographs with a camera of this machine, in a window.")
    ] = False,
    num_captures: Annotated[
        int | None, typer.Option("--num-captures", metavar="N", help="With --webcam: how many, 3 to 10; default: 5.")
    ] = None,
    camera: Annotated[
        int | None, typer.Option("--camera", min=0, help="With --webcam: which camera, from 0 on; default: 0.")
    ] = None,
    matched_sizes: MatchedOption = False,
    no_crops: NoCropsOption = False,
    add: AddOption = False,
    force: ForceOption = False,
    gallery_path: GalleryOption = None,
    options: PipelineOptions = PipelineOptions(),
    actor: ActorOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Enrol one person from 1 to N photographs; 3 to 7 are advised. For many people: `enroll folder`, `enroll csv`.

    With --webcam a window guides through the poses: good pictures are taken automatically, the space bar takes one at
    once, Esc cancels and stores nothing.

    If a photograph is unlike the others, or the person is enrolled under another name, this is reported and nothing is
    stored, unless --force is given. Crops of the faces are stored in the gallery unless --no-crops is given.

    Where no face is found, --box x,y,w,h names the place of one, from forehead to chin: its left and top edge, width
    and height, in pixels.
    """
    from core.enrolment.drafts import prepare_enrolment
    from core.enrolment.enrol import EnrolOptions, enrol
    from core.recognition.matched_templates import MATCHED_SIZES_PX

    given = [*(photo or ()), *(more or ())]
    if webcam and given:
        raise UsageMistake("--webcam and photographs were both given.", "Name one of them.")
    for option, value in (("--num-captures", num_captures), ("--camera", camera)):
        if value is not None and not webcam:
            raise UsageMistake(f"{option} goes with --webcam.", "Leave it out, or take the pictures with a camera.")
    if box is not None and webcam:
        raise UsageMistake("--box goes with a photograph, not with --webcam.", "Drop one of them.")
    boxes: list[Box] = []
    images: Sequence[Any]
    if webcam:
        _require_free(user_id, gallery_path, add)
        images, names = _webcam_pictures(5 if num_captures is None else num_captures, camera or 0, quiet=as_json)
    else:
        images = image_files(given)
        boxes = boxes_of([] if box is None else [box], images)
        names = [file.name for file in images]
        _require_free(user_id, gallery_path, add)
    pipeline = options.pipeline(gallery_path=gallery_place(load_settings(), gallery_path))
    with pipeline.gallery.store:
        draft = prepare_enrolment(pipeline, images, names, person=user_id, boxes=boxes or None)
        blocking = [finding for finding in draft.findings if finding.serious]
        if blocking and not force:
            raise UsageMistake(
                f"Nothing was stored: {' '.join(finding.text for finding in blocking)}",
                "Leave that photograph out, choose the right name, or add --force.",
            )
        identity = enrol(
            pipeline,
            user_id,
            draft,
            options=EnrolOptions(
                store_crops=not no_crops,
                add=add,
                matched_sizes=MATCHED_SIZES_PX if matched_sizes else (),
                actor=actor,
            ),
            note=note_text,
        )
    if as_json:
        say_json(_enrolled(identity, draft))
    else:
        _print_enrolment(identity, draft, not no_crops)


def _require_free(name: str, gallery_path: str | None, add: bool) -> None:
    """Refuse a name that can't be enrolled before anything heavy is loaded."""
    from core.gallery.errors import NameTaken
    from core.gallery.store import Gallery
    from core.gallery.validation import clean_name

    clean_name(name)
    path = gallery_place(load_settings(), gallery_path)
    if add or not may_be_there(path):
        return
    with Gallery.open(path, create=is_server(path)) as gallery:
        known = gallery.find(name)
    if known is not None:
        raise NameTaken(
            f"“{known.name}” is enrolled already.", "Choose another name, or add these photographs with --add."
        )


def _webcam_pictures(captures: int, camera: int, *, quiet: bool) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Take pictures in a window and return (frames, names).

    Raises SettingsInvalid (captures), NoDisplay, CameraMissing, CaptureCancelled, DetectorMissing, LandmarksUnusable.
    """
    from core.models.landmark_networks import detector_in_use
    from core.video.capture import CaptureSession
    from core.video.guide import see
    from core.video.webcam import capture_in_window

    detector = detector_in_use(load_settings())
    session = CaptureSession(lambda rgb: see(detector, rgb), captures)
    if not quiet:
        note("the camera starts now; pictures are kept only when all of them are taken (Esc cancels)")

    def show_capture(number: int, taken: Capture) -> None:
        quality = taken.sight.quality
        if quality is not None and not quiet:
            say(f"  {number} of {captures}: {taken.step}, {quality.probe_px:.0f} px, {quality.worth_text}")

    taken = capture_in_window(session, camera=camera, on_capture=show_capture)
    frames = [one.frame for one in taken]
    return frames, [f"camera {number} ({one.step})" for number, one in enumerate(taken, start=1)]


def _enrolled(identity: Identity, draft: EnrolmentDraft) -> dict[str, Any]:
    return {
        "identity": identity.name,
        "templates": identity.templates,
        "stored": len(draft.usable),
        "photos": [
            {
                "file": photo.name,
                "stored": photo.usable,
                "reason": photo.reason,
                "faces_found": photo.faces_found,
                "probe_px": round(photo.probe.probe_px, 1) if photo.probe else None,
                "recognisability": _recognisability(photo),
                "taken": photo.probe.taken if photo.probe else None,
            }
            for photo in draft.photos
        ],
        "findings": [{"code": finding.code, "text": finding.text} for finding in draft.findings],
    }


def _recognisability(photo: DraftPhoto) -> float | None:
    measured = photo.probe.quality.recognisability if photo.probe else None
    return None if measured is None else round(measured, 3)


def _print_enrolment(identity: Identity, draft: EnrolmentDraft, crops: bool) -> None:
    for photo in draft.photos:
        size = f"{photo.probe.probe_px:.0f} px" if photo.probe else "-"
        measured = _recognisability(photo)
        size += "" if measured is None else f", recognisability {measured:.2f}"
        remark = f"; {photo.faces_found} faces found, one taken" if photo.faces_found > 1 else ""
        if photo.probe and photo.probe.taken == "crop":
            remark = "; taken whole, as an aligned crop"
        if photo.probe and photo.probe.taken == "box":
            remark = "; in the box"
        say(
            f"  {photo.name}: {'stored' if photo.usable else 'left out'}, {size}{remark}"
            f"{f' ({photo.reason})' if photo.reason else ''}"
        )
    for finding in draft.findings:
        note(finding.text)
    kept = "with" if crops else "without"
    offered = count(len(draft.photos), "photograph")
    say(f"Enrolled {identity.name}: {len(draft.usable)} of {offered} stored, {kept} crops.")
