"""Pages as Streamlit runs them, without a browser."""

from __future__ import annotations

import functools
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from core.access.actor import resolve_with
from core.dataset.manifest import Dataset, read_dataset
from core.dataset.synthetic.demo import make_demo
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery
from core.jobs.run_dir import Run
from core.settings import Settings
from dashboard.shell.session import current
from tests.app.accuracy_runs import Measured
from tests.app.training_runs import record
from tests.made_weights import save_encoder

ROOT = Path(__file__).resolve().parents[2]

OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def one_look_at_installed_packages() -> Iterator[None]:
    """Every AppTest would read the metadata of all installed packages, 0.7 s, for components; they stay the same."""
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(autouse=True)
def who_acts() -> Iterator[None]:
    """Pages ask who is at the screen, as they do in a dashboard of this machine's own."""
    earlier = resolve_with(current)
    yield
    resolve_with(earlier)


@pytest.fixture
def open_page(own_data_dir: Path) -> OpenPage:
    """open_page("gallery") runs the dashboard at that page ("" is Home); keywords go into the session state first."""

    def opener(name: str = "", *, query: dict[str, str] | None = None, **state: object) -> AppTest:
        app = AppTest.from_file(str(ROOT / "dashboard" / "Home.py"), default_timeout=60)
        for key, value in state.items():
            app.session_state[key] = value
        if query:
            app.query_params.update(query)
        if name:
            app.switch_page(f"../pages/{name}.py")
        return app.run()

    return opener


@pytest.fixture
def ready(own_data_dir: Path, shared_dir: Path) -> Path:
    """A data folder with the official EdgeFace-XXS weights."""
    (own_data_dir / "weights").mkdir()
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", own_data_dir / "weights")
    return own_data_dir


@pytest.fixture
def small_demo(ready: Path) -> Path:
    """A data set of three drawn people beside those weights."""
    root = ready / "datasets" / "demo"
    make_demo(root, 3, 4)
    return root


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Kinds and configurations of trainings that the Training page launches; no process is started."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(settings: Settings, kind: str, config: dict[str, Any], *, slug: str) -> Run:
        seen.append((kind, dict(config)))
        return record(settings.data_dir, status="queued", kind=kind, slug=slug, config=dict(config))

    monkeypatch.setattr("dashboard.training.launch.launch", note)
    return seen


@pytest.fixture(scope="session")
def astronaut() -> bytes:
    """A photograph of a real face that scikit-image ships (NASA, public domain), as PNG."""
    import skimage.data

    return png(skimage.data.astronaut())


def png(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG")
    return buffer.getvalue()


SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)


def fill(data_dir: Path, *names: str, photographs: int = 3, space: Space = SPACE, crops: bool = True) -> None:
    """Enrol made-up people with random unit vectors, in a real gallery."""
    random = np.random.default_rng(7)
    with Gallery.open(data_dir / "gallery.db") as gallery:
        for name in names:
            vectors = random.normal(size=(photographs, 512)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            crop = png(random.integers(0, 255, (112, 112, 3), dtype=np.uint8)) if crops else None
            templates = [
                NewTemplate(vector, "hr", 140.0, image_sha256=f"{name}-{number}", crop=crop, source="made up")
                for number, vector in enumerate(vectors)
            ]
            gallery.enrol(name, templates, space=space)


def shown(app: AppTest) -> str:
    """Everything that the main area says, as one text: markup included, so that escaping can be seen."""
    said = (app.info, app.warning, app.error, app.success)
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, *said)
    texts = [str(element.value) for kind in kinds for element in kind]
    texts += [element.proto.body for element in app.get("html")]
    return "\n".join(texts)


def button(app: AppTest, label: str):
    """The button of that label; says which there are when it is missing."""
    found = [each for each in app.button if each.label == label]
    assert found, f"no button {label!r} among {[each.label for each in app.button]}"
    return found[0]


def runs_without_torch(script: str, data_dir: Path) -> None:
    """Runs `script`, which has the dashboard as `app`, in a process of its own, and expects no torch in it."""
    before = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file('dashboard/Home.py', default_timeout=60).run()\n"
    )
    after = "print(*sorted({'torch', 'timm', 'torchvision'} & set(sys.modules)))\n"
    environment = {**os.environ, "EDGEFACE_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-c", before + script + after]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn people of six images each, closed-set."""
    root = tmp_path_factory.mktemp("drawn") / "demo"
    make_demo(root, 4, 6)
    return root


@pytest.fixture
def demo(drawn: Path, own_data_dir: Path) -> Dataset:
    """The same in this test's own data folder."""
    root = own_data_dir / "datasets" / "demo"
    shutil.copytree(drawn, root)
    return read_dataset(root)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What the page would start, instead of a process."""
    calls: list[tuple[str, dict[str, object]]] = []

    def instead(settings, kind, config, *, slug):
        calls.append((kind, dict(config)))

    monkeypatch.setattr("dashboard.runs.datasets.launch", instead)
    return calls


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Evaluations of a miniature data set, measured once."""
    return Measured(tmp_path_factory.mktemp("measured"))


@pytest.fixture
def with_weights(own_data_dir: Path) -> Path:
    """A file of weights in use; nothing loads it."""
    return save_encoder(own_data_dir / "models" / "made.safetensors", {"head": torch.zeros(1)})
