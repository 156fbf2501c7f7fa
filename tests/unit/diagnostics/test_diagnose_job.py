"""The job behind the page: a map of the gallery, a check that measures broken weights too, and stopping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from face_sets import faces_dataset

from core.diagnostics.cloud import cloud_of_gallery
from core.diagnostics.job import KIND, layout_store, run
from core.diagnostics.source import Source, diagnose_config
from core.encoder.network import build_network
from core.errors import SettingsInvalid
from core.evaluation.evaluation_spec import SystemSpec
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery
from core.jobs.context import JobContext
from core.jobs.errors import JobStopped
from core.jobs.json_values import json_value
from core.jobs.run_dir import create_run, runs_root
from core.models.variants import VARIANTS
from core.settings import load_settings
from tests.made_weights import save_encoder

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False, bicubic_px=(16,))


def context(config, *, stop=False):
    made = create_run(runs_root(load_settings()), KIND, "test", config)
    events = []
    return JobContext(
        made, made.config, lambda kind, /, **data: events.append((kind, data)), lambda: stop, False
    ), events


def test_a_map_of_the_gallery_is_kept_for_the_page(own_data_dir):
    random = np.random.default_rng(0)
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        for name in ("Ada", "Bo", "Cy"):
            vectors = random.normal(size=(3, 512)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            templates = [NewTemplate(v, "hr", 140.0, image_sha256=f"{name}{n}") for n, v in enumerate(vectors)]
            gallery.enrol(name, templates, space=SPACE)
        key = cloud_of_gallery(gallery, SPACE).key
    job, events = context(diagnose_config("map", SPACE))
    report = run(job)
    assert report["key"] == key and report["text"].startswith("A t-SNE map of 9 points")
    assert layout_store(load_settings()).read(key, "tsne", 9) is not None
    assert [data["step"] for _, data in events] == ["map", "map"]
    assert not any(name in report["text"] for name in ("Ada", "Bo", "Cy"))


def test_a_check_measures_weights_that_the_health_check_refuses(own_data_dir, tmp_path):
    torch.manual_seed(0)
    weights = save_encoder(tmp_path / "random.safetensors", build_network(VARIANTS["edgeface_xxs"]).state_dict())
    dataset = faces_dataset(tmp_path / "faces", people=3)
    source = Source(str(dataset.root), "test", (), SystemSpec(weights=str(weights), device="cpu"))
    job, events = context(diagnose_config("check", source))
    report = json_value(run(job))
    assert not report["diagnosis"]["ok"] and report["diagnosis"]["answers"][0]["found"]
    assert report["diagnosis"]["protocol"].startswith("faces, split test, 6 aligned faces of 3 people")
    assert [data["step"] for _, data in events] == ["load", "read", "HR", "16 px", ""]
    stopped, _ = context(diagnose_config("check", source), stop=True)
    with pytest.raises(JobStopped):
        run(stopped)


@pytest.mark.parametrize("config", [{"task": "nothing"}, {"task": "map", "gallery": True}, {"task": "embed"}])
def test_a_run_that_names_nothing_is_refused(own_data_dir, config):
    with pytest.raises(SettingsInvalid):
        run(context(config)[0])
