"""Evaluations as their job leaves them, measured once on a miniature of warped faces: for the Accuracy page's tests."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.evaluation.calibrate import CalibrationSets, Goal, calibrate, halves, points_json
from core.evaluation.evaluate import evaluate_pictures
from core.evaluation.evaluation_spec import Plan, SystemSpec
from core.evaluation.hooks import RunHooks
from core.evaluation.pictures import only_people, pictures_of_dataset
from core.evaluation.report_files import write_evaluation
from core.evaluation.run_config import calibration_config, dataset_config
from core.evaluation.systems import System, open_system
from core.evaluation.vector_cache import embedding_cache
from core.jobs.events import EventLog
from core.jobs.processes import process_start
from core.jobs.run_dir import Run, create_run, runs_root
from core.jobs.state import stored_state, write_state
from core.settings import Settings
from tests.made_peer import made_peer
from tests.unit.evaluation.sets import small_dataset

PLAN = Plan(sizes=(None, 16), bootstrap=20, gallery_sizes=(3,), draws=2, sr_images=0)


class Measured:
    """A miniature data set, measured with and without flip, and a calibration on it."""

    def __init__(self, folder: Path) -> None:
        self.dataset = small_dataset(folder / "small", people=5, each=3, single=2)
        pictures = pictures_of_dataset(self.dataset)
        self.specs = [SystemSpec(str(made_peer()), "bicubic", use_tta=flip) for flip in (False, True)]
        systems: list[System] = [open_system(spec) for spec in self.specs]
        said = {"data": "small", "split": "test", "root": "small"}
        store = embedding_cache(folder / "embeddings")
        self.evaluation = evaluate_pictures(systems, pictures, PLAN, data=said, hooks=RunHooks(store=store))
        first, second = halves({picture.identity for picture in pictures})
        self.calibration, self.points = calibrate(
            systems[0],
            CalibrationSets(only_people(pictures, first), only_people(pictures, second)),
            Goal("far", 0.5),
            PLAN.model_copy(update={"sizes": (None,)}),
            run="evaluate/made",
            data=said,
            hooks=RunHooks(store=store),
        )

        for name, evaluation in (("done", self.evaluation), ("calibrated", self.calibration)):
            write_evaluation(evaluation, folder / name)
        (folder / "calibrated" / "operating_points.json").write_text(points_json(self.points), encoding="utf-8")
        self._folder = folder

    @property
    def systems(self) -> list[SystemSpec]:
        return self.specs

    def done(self, settings: Settings) -> Run:
        """A run that has ended, with all its files."""
        config = dataset_config(self.dataset.root, self.systems, PLAN.to_config(), split="test")
        run = create_run(runs_root(settings), "evaluate", "small", config)
        shutil.copytree(self._folder / "done", run.path, dirs_exist_ok=True)
        return _ended(run)

    def calibrated(self, settings: Settings) -> Run:
        goal = {"measure": "far", "target": 0.5}
        config = calibration_config(self.dataset.root, self.systems[0], {"sizes": [None]}, goal)
        run = create_run(runs_root(settings), "evaluate", "calibrate", config)
        shutil.copytree(self._folder / "calibrated", run.path, dirs_exist_ok=True)
        return _ended(run)


def under_way(settings: Settings, config: dict[str, Any], status: str = "running", **fields: Any) -> Run:
    """A run in that state: this process works on it, or one that is gone ("interrupted")."""
    run = create_run(runs_root(settings), "evaluate", "small", config)
    log = EventLog(run.events_path)
    log.append("started")
    log.append("progress", step="embed peer + bicubic", done=30, total=120)
    log.close()
    gone = status == "interrupted"
    state = replace(
        stored_state(run.path),
        status="running" if gone else status,
        started=datetime.now(UTC),
        has_worker=True,
        pid=2**22 + 1 if gone else os.getpid(),
        process_start="gone" if gone else process_start(os.getpid()),
        **fields,
    )
    write_state(run.path, state)
    return run


def _ended(run: Run) -> Run:
    at = datetime.now(UTC)
    write_state(run.path, replace(stored_state(run.path), status="done", started=at, ended=at))
    return run
