"""Start a training: what to train, on what, from which weights, by which recipe, and how long it will take."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import streamlit as st

from core.dataset.library import Listed, datasets_root, list_datasets
from core.jobs.launch import launch
from core.jobs.policy import read_policy
from core.jobs.run_dir import Run, list_runs, runs_root
from core.models import upscalers
from core.models.encoders import WeightsFile, scan
from core.sr.upscale import BICUBIC
from core.system.text import count
from core.training.config import NEW, TrainingConfig, config_to_dict, make_config
from core.training.estimate import Amounts, estimate_s, known_speeds
from core.training.overrides import change
from core.training.presets import PRESETS
from core.training.recipe import Recipe
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import go, link
from dashboard.shell.readiness import weights_in_use
from dashboard.shell.resources import settings
from dashboard.training.dataset_picker import choose_dataset, images_of
from dashboard.training.recipe_form import differences, main_settings, other_settings, run_settings
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import duration, plain

TITLES = {"finetune": "Fine-tune EdgeFace", "dsr": "Super-resolution (DSR)", "starter": "Starter, from nothing"}
_ICONS = {"finetune": ":material/tune:", "dsr": ":material/hd:", "starter": ":material/egg:"}
_TEXTS = {
    "finetune": "EdgeFace learns to see the same person in a small, enlarged face as in a large one.",
    "dsr": "A small network learns to enlarge faces of 12 to 48 px, for pixels and for identity.",
    "starter": "An EdgeFace from random initialisation, taught by the weights below. It takes hours and never becomes "
    "as good as official weights: it is for machines that can download nothing.",
}


def launch_panel() -> None:
    """The form, or what is missing for it and the way there."""
    weights, problem = weights_in_use()
    if weights is None:
        text = f"{plain(problem.what) if problem else ''} Training begins from weights, and Home gets them."
        with empty_state("download", "First, EdgeFace needs its weights", text):
            if st.button("Get the weights on Home", type="primary", icon=":material/arrow_forward:"):
                go("home")
        return
    sets = list_datasets(datasets_root(settings()))
    if not sets:
        text = "Training needs faces, large and small, split into train and val. The drawn demo takes under a minute."
        with empty_state("dataset", "No data set yet", text):
            if st.button("Make a data set", type="primary", icon=":material/arrow_forward:", key="training_to_dataset"):
                go("dataset")
        return
    with st.container(border=True, key="training_launch"):
        _form(weights, sets)


def _form(weights: WeightsFile, sets: list[Listed]) -> None:
    kind = _kind()
    st.caption(_TEXTS[kind])
    given: dict[str, Any] = {}
    left, right = st.columns(2, gap="medium")
    with left:
        dataset = choose_dataset(sets)
    with right:
        given["edgeface"] = _weights(weights, kind)
    recipe = _preset(kind)
    if recipe.wants_upscaler:
        with right:
            given["upscaler"] = _upscaler(kind, recipe)
    changes: dict[str, Any] = main_settings(recipe, f"training_{kind}_{recipe.name}")
    with st.expander("Everything else", icon=":material/tune:", key="training_more"):
        _starter_switch()
        given |= run_settings(kind)
        changes |= other_settings(recipe, f"training_{kind}_{recipe.name}_others")
    with feedback() as attempt:
        recipe = change(recipe, changes)
    if attempt.ok:
        _estimate(kind, recipe, images_of(dataset), int(given.get("val_limit", TrainingConfig.val_limit)))
    if changes:
        st.caption(f"Changed: {differences(changes)}.")
    given |= {"dataset": str(dataset.root), "force": dataset.forced}
    clicked = st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        key="training_start",
        disabled=not (attempt.ok and dataset.fit),
    )
    link("help", "How training works, and what its alarms mean", icon=":material/help:", topic="train")
    if clicked:
        with feedback() as attempt:
            run = start_training(kind, recipe.name, changes, given)
        if attempt.ok:
            st.query_params["run"] = run.id
            st.rerun()


def start_training(kind: str, preset: str, changes: dict[str, Any], given: dict[str, Any]) -> Run:
    """Launch a run of that recipe with `changes`; `given` are TrainingConfig's fields. Values only, no command line.

    Raises SettingsInvalid, JobError, StorageFailed.
    """
    config = make_config(kind, preset, changes, **given)
    config = replace(config, command=command_for(config, changes, given))
    name = str(config.dataset or config.train_dir or "").rpartition("/")[2]
    return launch(settings(), kind, config_to_dict(config), slug=f"{preset}-{name}")


def command_for(config: TrainingConfig, changes: dict[str, Any], given: dict[str, Any]) -> str:
    """The command line that starts the same run: told to the user, never run."""
    words = ["edgeface-studio", "train", config.kind]
    words += ["--preset", config.preset] if len(PRESETS[config.kind]) > 1 else []
    names = {"edgeface": "--teacher" if config.kind == "starter" else "--edgeface", "full_check": "--check"}
    options = ("dataset", "edgeface", "upscaler", "device", "seed", "num_workers", "full_check", "force")
    for name in options:
        value, option = given.get(name), names.get(name, f"--{name.replace('_', '-')}")
        if value is True:
            words.append(option)
        elif value not in (None, False):
            words += [option, str(value)]
    rest = {**changes, **{name: value for name, value in given.items() if name not in options}}
    for name, value in rest.items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def _kind() -> str:
    if st.session_state.get("training_starter"):
        st.markdown(f"**{_ICONS['starter']} {TITLES['starter']}**")
        return "starter"
    return str(
        st.segmented_control(
            "What to train",
            ["finetune", "dsr"],
            default="finetune",
            required=True,
            key="training_kind",
            format_func=lambda each: f"{_ICONS[each]} {TITLES[each]}",
            label_visibility="collapsed",
        )
    )


def _starter_switch() -> None:
    st.toggle(
        "Train a starter encoder from nothing instead",
        key="training_starter",
        help="For machines that can download nothing. Official weights are the better start wherever they can be had.",
    )


def _weights(used: WeightsFile, kind: str) -> str:
    """The path of the chosen weights. It is kept with the run, so that a later change of those in use is none to it."""
    files = [used, *(file for file in scan(settings()) if file.sha256 != used.sha256)]
    label = {"finetune": "Starting weights", "dsr": "Judged by", "starter": "Teacher"}[kind]
    chosen = st.selectbox(
        label,
        files,
        format_func=lambda file: _weights_label(file, used),
        key=f"training_weights_{kind}",
        help={"dsr": "The frozen encoder whose embeddings the enlarged face should keep."}.get(kind),
    )
    return str((chosen or used).path)


def _weights_label(file: WeightsFile, used: WeightsFile) -> str:
    what = f"official {file.official.name}" if file.official else file.name
    return f"{what}{' (in use)' if file == used else ''}"


def _preset(kind: str) -> Recipe:
    recipes = PRESETS[kind]
    if len(recipes) == 1:
        return next(iter(recipes.values()))
    name = st.radio(
        "Recipe",
        list(recipes),
        key=f"training_preset_{kind}",
        format_func=lambda each: f"**{recipes[each].title}** ({each})",
        captions=[each.text for each in recipes.values()],
    )
    return recipes[str(name)]


def _upscaler(kind: str, recipe: Recipe) -> str:
    """A path, "bicubic", or NEW for a new network, where the recipe trains one."""
    used = upscalers.active_upscaler(settings())
    options = {} if used.path is None else {str(used.path): f"{used.name} (in use)"}
    if "upscaler" in recipe.trains:
        new = {NEW: "A new network"}
        options = {**new, **options} if recipe.trains == ("upscaler",) else {**options, **new}
    else:
        options |= {BICUBIC: f"{BICUBIC}{' (in use)' if used.path is None else ''}"}
    options |= {str(file.path): file.name for file in upscalers.scan(settings()) if str(file.path) not in options}
    return st.selectbox(
        "Super-resolution network",
        list(options),
        format_func=options.__getitem__,
        key=f"training_dsr_{kind}_{recipe.name}",
        help="What enlarges the small faces. A recipe that trains it can go on from a stored one.",
    )


def _estimate(kind: str, recipe: Recipe, images: tuple[int, int], val_limit: int) -> None:
    train, val = images
    if not train:
        return
    speeds = known_speeds(settings(), kind)
    seconds = estimate_s(recipe, Amounts(train, min(val, val_limit) if val_limit else val), speeds)
    measured = all(stage.name in speeds.stages for stage in recipe.stages if not stage.cached_views)
    source = "measured on this machine" if measured else "a guess until a run has measured this machine"
    text = f"**About {duration(seconds)}** for {count(recipe.epochs, 'epoch')} of {count(train, 'image')}: {source}."
    policy = read_policy(settings())
    busy = sum(run.state().live for run in list_runs(runs_root(settings())))
    if busy >= policy.at_once:
        text += f" {count(busy, 'run')} at work or waiting before it."
    st.markdown(f":material/schedule: {text}")
