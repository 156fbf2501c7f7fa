"""The form that starts a training: kind, data set, weights, recipe, settings, and an estimate of the time."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from core.dataset.library import Listed
from core.jobs.launch import launch
from core.jobs.policy import read_policy
from core.jobs.run_dir import Run, list_runs, runs_root
from core.models.encoders import WeightsFile
from core.sr.upscale import BICUBIC
from core.system.text import count
from core.training.adapt import adaptation
from core.training.config import NEW, TrainingConfig, config_to_dict, make_config
from core.training.estimate import Amounts, estimate_s, load_speeds
from core.training.overrides import change
from core.training.presets import PRESETS
from core.training.recipe import Recipe
from dashboard.runs.form import datasets_or_empty_state, dsr_labels, weights_labels, weights_or_empty_state
from dashboard.runs.list import show_run
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.training.camera import camera_choice
from dashboard.training.dataset_picker import choose_dataset, images_in
from dashboard.training.recipe_form import differences, main_settings, other_settings, run_settings
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import duration

TITLES = {"finetune": "Fine-tune EdgeFace", "dsr": "Super-resolution (DSR)", "starter": "Starter encoder"}
_ICONS = {"finetune": ":material/tune:", "dsr": ":material/hd:", "starter": ":material/egg:"}
_TEXTS = {
    "finetune": "Teaches EdgeFace to recognise a person in a small, enlarged face as well as in a large one.",
    "dsr": "Trains a small network to enlarge faces of 12 to 48 px so that image and identity are restored. The one "
    "that ships helps on faces shrunk by bicubic, not on camera images: at 24 px, the equal error rate with the "
    "official EdgeFace-XXS went from 7.02 to 8.21 % (both small, LFW fold 4, 1,181 crops). A specialist helps on both.",
    "starter": "Trains EdgeFace from random initialisation, with the weights below as teacher. Training takes hours "
    "and doesn't reach the accuracy of the official weights. Use it only where they can't be downloaded.",
}


def launch_panel() -> None:
    """The form, or what is missing for it and the way there."""
    weights = weights_or_empty_state("training", "Training starts from weights.")
    if weights is None:
        return
    reason = "Training needs large and small faces, split into train and val. The synthetic demo takes under a minute."
    sets = datasets_or_empty_state("training", reason)
    if sets:
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
    adapted = _adapted(recipe, dataset.root)
    recipe = change(recipe, adapted)
    changes: dict[str, Any] = main_settings(recipe, f"training_{kind}_{recipe.name}")
    with st.expander("Everything else", icon=":material/tune:", key="training_more"):
        _starter_switch()
        given |= run_settings(kind)
        changes |= other_settings(recipe, f"training_{kind}_{recipe.name}_others")
    with feedback() as attempt:
        recipe = change(recipe, changes)
    if attempt.ok:
        _estimate(kind, recipe, images_in(dataset.info), int(given.get("val_limit", TrainingConfig.val_limit)))
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
    link("help", "How training works and what its alarms mean", icon=":material/help:", topic="train")
    if clicked:
        with feedback() as attempt:
            run = start_training(kind, recipe.name, adapted | changes, given)
        if attempt.ok:
            show_run(run)


def _adapted(recipe: Recipe, dataset: Path) -> dict[str, str]:
    """Changes to a recipe that sees cameras, for the estimated one; {} without one."""
    if recipe.validated_camera is None:
        return {}
    estimate = camera_choice(dataset)
    return {} if estimate is None else adaptation(recipe, estimate)


def start_training(kind: str, preset: str, changes: dict[str, Any], given: dict[str, Any]) -> Run:
    """Launch a training by a recipe with `changes` to its settings; `given` are fields of TrainingConfig.

    Raises SettingsInvalid, JobError, StorageFailed.
    """
    config = make_config(kind, preset, changes, **given)
    config = replace(config, command=command_for(config, changes, given))
    name = str(config.dataset or config.train_dir or "").rpartition("/")[2]
    return launch(settings(), kind, config_to_dict(config), slug=f"{preset}-{name}")


def command_for(config: TrainingConfig, changes: dict[str, Any], given: dict[str, Any]) -> str:
    """The command line that starts the same run, for display."""
    words = ["edgeface-studio", "train", config.kind]
    words += ["--preset", config.preset] if len(PRESETS[config.kind]) > 1 else []
    names = {"edgeface": "--teacher" if config.kind == "starter" else "--edgeface", "full_check": "--check"}
    options = ("dataset", "edgeface", "upscaler", "device", "seed", "num_workers", "full_check", "force", "terms")
    for name in options:
        value, option = given.get(name), names.get(name, f"--{name.replace('_', '-')}")
        if value is True:
            words.append(option)
        elif isinstance(value, tuple):
            words += [word for each in value for word in (option, str(each))]
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
    titles = {kind: f"{_ICONS[kind]} {TITLES[kind]}" for kind in ("finetune", "dsr")}
    return choose_one("What to train", titles, "training_kind", show_label=False)


def _starter_switch() -> None:
    st.toggle(
        "Train a starter encoder from scratch instead",
        key="training_starter",
        help="Only where nothing can be downloaded. Official weights are the better start wherever they are available.",
    )


def _weights(used: WeightsFile, kind: str) -> str:
    """The path of the chosen weights, so that the run doesn't depend on which are in use later."""
    labels = weights_labels(used)
    return st.selectbox(
        {"finetune": "Starting weights", "dsr": "Encoder", "starter": "Teacher"}[kind],
        list(labels),
        format_func=labels.__getitem__,
        key=f"training_weights_{kind}",
        help={"dsr": "Frozen. The enlarged face should have the same embedding as the HR face."}.get(kind),
    )


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
    """A path, "bicubic", or NEW for a new network if the recipe trains one."""
    trained = "upscaler" in recipe.trains
    labels = dsr_labels(to_train=trained)
    options = labels
    if trained:
        start = next(iter(labels))
        stored = {value: label for value, label in labels.items() if value != BICUBIC}
        first = {start: stored.pop(start)} if start in stored and recipe.trains != ("upscaler",) else {}
        options = {**first, NEW: "A new network", **stored}
    return st.selectbox(
        "Super-resolution network",
        list(options),
        format_func=options.__getitem__,
        key=f"training_dsr_{kind}_{recipe.name}",
        help="Enlarges the small faces. A recipe that trains it can start from a stored network.",
    )


def _estimate(kind: str, recipe: Recipe, images: tuple[int, int], val_limit: int) -> None:
    train, val = images
    if not train:
        return
    speeds = load_speeds(settings(), kind)
    seconds = estimate_s(recipe, Amounts(train, min(val, val_limit) if val_limit else val), speeds)
    measured = all(stage.name in speeds.stages for stage in recipe.stages if not stage.cached_views)
    source = "as measured on this machine" if measured else "an estimate until this recipe has run on this machine"
    text = f"**About {duration(seconds)}** for {count(recipe.epochs, 'epoch')} of {count(train, 'image')}, {source}."
    policy = read_policy(settings())
    busy = sum(run.state().live for run in list_runs(runs_root(settings())))
    if busy >= policy.at_once:
        text += f" {count(busy, 'run')} ahead of it."
    st.markdown(f":material/schedule: {text}")
