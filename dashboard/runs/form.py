"""Fields that the forms of several runs share: weights, upscaler and data set, or the way to get them first."""

from __future__ import annotations

from pathlib import Path

from core.access.places import require_path
from core.dataset.errors import SourceInvalid
from core.dataset.library import Listed, datasets_root, list_datasets
from core.errors import StorageFailed
from core.models import encoders, upscalers
from core.models.encoders import WeightsFile
from core.models.upscalers import UpscalerFile
from core.sr.upscale import BICUBIC
from dashboard.shell.navigation import step_button
from dashboard.shell.readiness import weights_in_use
from dashboard.shell.resources import settings
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain

SYNTHETIC_HINT = "Synthetic faces: figures measured on them show that everything works, not how accurately."


def weights_or_empty_state(page: str, reason: str) -> WeightsFile | None:
    """The weights in use; without any, shows the `reason` for needing them and the way to Home."""
    weights, problem = weights_in_use()
    if weights is None:
        text = f"{plain(problem.what) if problem else ''} {reason} You can get them on Home."
        with empty_state("download", "First, EdgeFace needs its weights", text):
            step_button("home", "Get the weights on Home", key=f"{page}_to_home")
    return weights


def datasets_or_empty_state(page: str, reason: str) -> list[Listed]:
    """The data sets on this machine; without any, shows the `reason` for needing one and the way to Data sets."""
    sets = list_datasets(datasets_root(settings()))
    if not sets:
        with empty_state("dataset", "No data set yet", reason):
            step_button("dataset", "Make a data set", key=f"{page}_to_datasets")
    return sets


def weights_labels(used: WeightsFile) -> dict[str, str]:
    """The path of every weights file and its label, the one in use first."""
    files = [used, *(file for file in encoders.scan(settings()) if file.sha256 != used.sha256)]
    labels: dict[str, str] = {}
    for file in files:
        name = f"official {file.official.name}" if file.official else file.name
        labels[str(file.path)] = f"{name}{' (in use)' if file == used else ''}"
    return labels


def upscaler_labels() -> dict[str, str]:
    """The path of every upscaler, or "bicubic", and its label, the one in use first. Raises UpscalerUnusable."""
    active = upscalers.active_upscaler(settings())
    return _labels(active, str(active.path or BICUBIC), upscalers.scan(settings()))


def dsr_labels(*, to_train: bool) -> dict[str, str]:
    """The path of every DSR network, or "bicubic", and its label, the default of a training first; `to_train`: where it
    trains the network. Raises UpscalerUnusable."""
    first = str(upscalers.resolve_dsr(settings(), to_train=to_train) or BICUBIC)
    stored = [file for file in upscalers.scan(settings()) if file.specialist is None]
    return _labels(upscalers.active_upscaler(settings()), first, stored)


def _labels(active: UpscalerFile, first: str, stored: list[UpscalerFile]) -> dict[str, str]:
    labels = {BICUBIC: BICUBIC, **{str(file.path): file.name for file in stored}}
    in_use = str(active.path or BICUBIC)
    if in_use in labels:
        labels[in_use] = f"{active.name} (in use)"
    return {first: labels[first], **labels}


def typed_path(text: str, what: str = "folder with photographs") -> Path:
    """The path of `what` as it was typed, with `~` expanded. Raises SourceInvalid for an invalid path, NotAllowed,
    StorageFailed."""
    typed = text.strip().strip("\"'").strip()
    if not typed:
        raise SourceInvalid(f"No {what} was named.", "Enter its path on this machine.")
    try:
        path = Path(typed).expanduser()
        if "\0" in typed or not path.is_absolute():
            raise SourceInvalid(
                f"'{typed[:200]}' isn't an absolute path.", "Start with / or ~, such as /home/you/photographs."
            )
        require_path(settings(), path)
        path.exists()
    except (RuntimeError, ValueError) as error:
        raise SourceInvalid(f"'{typed[:200]!r}' isn't a valid path.", "Enter it as your system shows it.") from error
    except OSError as error:
        raise StorageFailed(f"{typed[:200]} can't be read: {error.strerror or error}.", "Check the path.") from error
    return path
