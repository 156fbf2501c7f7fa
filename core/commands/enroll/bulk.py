"""`enroll folder` and `enroll csv`: many people at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.enroll.app import AddOption, ForceOption, MatchedOption, NoCropsOption
from core.commands.shared.common import UsageMistake, example, gallery_place, user_path
from core.commands.shared.option_types import ActorOption, GalleryOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import PipelineOptions
from core.commands.shared.printing import note, progress, progress_line, say, say_json
from core.settings import load_settings
from core.system.text import count

if TYPE_CHECKING:
    from core.enrolment.bulk_enrol import BulkRow
    from core.gallery.bulk import BulkPlan


@dataclass(frozen=True)
class StorageOptions:
    """What is stored, and where."""

    no_crops: NoCropsOption = False
    add: AddOption = False
    gallery_path: GalleryOption = None


@dataclass(frozen=True)
class HandlingOptions:
    """Audit name, warnings, templates and output."""

    actor: ActorOption = "local"
    force: ForceOption = False
    matched_sizes: MatchedOption = False
    as_json: JsonOption = False


def add_to(group: typer.Typer) -> None:
    folder_example = example("enroll folder people/", "enroll folder people/ --gallery-path door.db")
    csv_example = example("enroll csv people.csv", "enroll csv people.csv --gallery-path door.db")
    group.command("folder", epilog=folder_example)(folder)
    group.command("csv", epilog=csv_example)(csv)


@takes_options
def folder(
    path: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder with one folder for each person.")],
    storage: StorageOptions = StorageOptions(),
    options: PipelineOptions = PipelineOptions(),
    handling: HandlingOptions = HandlingOptions(),
) -> None:
    """Enrol many people from a folder with one folder for each person, named after the person.

    People with a photograph unlike the others, or enrolled under another name, are held back unless --force is given.
    """
    from core.gallery.bulk import plan_from_folder

    _enrol_plan(plan_from_folder(user_path(path)), storage, options, handling)


@takes_options
def csv(
    path: Annotated[str, typer.Argument(metavar="FILE", help="A CSV with the columns path and identity.")],
    storage: StorageOptions = StorageOptions(),
    options: PipelineOptions = PipelineOptions(),
    handling: HandlingOptions = HandlingOptions(),
) -> None:
    """Enrol many people from a CSV with one line for each photograph: its path and the person's name (identity).

    People with a photograph unlike the others, or enrolled under another name, are held back unless --force is given.
    """
    from core.gallery.bulk import plan_from_csv

    _enrol_plan(plan_from_csv(user_path(path)), storage, options, handling)


def _enrol_plan(plan: BulkPlan, storage: StorageOptions, options: PipelineOptions, handling: HandlingOptions) -> None:
    from core.enrolment.bulk_enrol import enrol_many
    from core.enrolment.enrol import EnrolOptions
    from core.recognition.matched_templates import MATCHED_SIZES_PX

    pipeline = options.pipeline(gallery_path=gallery_place(load_settings(), storage.gallery_path))

    with progress_line(), pipeline.gallery.store:
        rows = enrol_many(
            pipeline,
            plan.people,
            options=EnrolOptions(
                store_crops=not storage.no_crops,
                add=storage.add,
                matched_sizes=MATCHED_SIZES_PX if handling.matched_sizes else (),
                actor=handling.actor,
            ),
            force=handling.force,
            on_person=lambda done, total, row: progress(f"{done} of {total} people"),
        )
    _print_outcome(rows, plan, handling.as_json)


def _print_outcome(rows: list[BulkRow], plan: BulkPlan, as_json: bool) -> None:
    failed = [row for row in rows if row.error]
    if as_json:
        say_json(
            {
                "people": [
                    {
                        "identity": row.name,
                        "offered": row.offered,
                        "stored": row.stored,
                        "rejected": [{"file": file, "reason": reason} for file, reason in row.rejected],
                        "findings": [{"code": finding.code, "text": finding.text} for finding in row.findings],
                        "error": row.error,
                    }
                    for row in rows
                ],
                "rejected": [{"where": item.where, "reason": item.reason} for item in plan.rejected],
            }
        )
    else:
        for row in rows:
            trouble = f"; {row.error}" if row.error else ""
            say(f"  {row.name}: {row.stored} of {count(row.offered, 'photograph')}{trouble}")
            for finding in row.findings:
                if not row.error:
                    say(f"    {finding.text}")
            for file, reason in row.rejected:
                say(f"    left out: {Path(file).name} ({reason})")
        for item in plan.rejected:
            say(f"  left out: {item.where} ({item.reason})")
        stored = sum(row.stored for row in rows)
        people = count(len(rows), "person", "people")
        say(f"Enrolled {len(rows) - len(failed)} of {people}, {count(stored, 'photograph')}.")
    if len(failed) == len(rows):
        raise UsageMistake(f"Nobody was enrolled; the first, {failed[0].name}: {failed[0].error}")
    if failed:
        people = count(len(rows), "person", "people")
        note(f"{len(failed)} of {people} {'wasn' if len(failed) == 1 else 'weren'}'t enrolled.")
