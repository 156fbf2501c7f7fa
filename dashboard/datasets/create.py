"""Creating a data set: from a folder, CSV file or tar shards on this machine, of synthetic people, or from public
photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.dataset.library import checked_name, datasets_root, free_name
from core.dataset.manifest import count as counted
from core.dataset.run_config import DemoConfig, FetchConfig, IngestConfig
from core.dataset.scan import scan
from core.dataset.shard_source import source_name
from core.system.text import count
from dashboard.datasets.data import choices
from dashboard.datasets.split_form import build_form
from dashboard.runs.datasets import start_dataset_run
from dashboard.runs.form import typed_path
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import plain

WAYS = {"folder": "Folder, CSV or shards", "demo": "Synthetic people", "public": "Public photographs"}

_LAYOUTS = {
    "notes": "train and val with hr_images and vlr_images",
    "photographs": "one folder per person, photographs",
    "crops": "one folder per person, aligned crops",
    "csv": "CSV with the columns path and identity",
}

_ALIGN_AGAIN_HELP = (
    "For crops aligned by another program: each face is found again in its crop, and aligned as photographs are here, "
    "so that training and recognition see the same pictures. Crops in which it isn't found are taken as they are."
)

_FIRST = {
    "crops": "Each crop is taken as it is, or aligned again",
    "notes": "The small images aren't used; each large one is aligned again",
}
"""The first step of an import, by layout; photographs are detected and aligned."""

_STORAGE = {0: "One file per image", 256: "Tar shards of 256 MB", 1000: "Tar shards of 1 GB"}

_PUBLIC = {
    "lfw": "Labeled Faces in the Wild: 13,233 photographs of 5,749 people, about 200 MB",
    "olivetti": "Olivetti faces: 400 images of 64 px of 40 people, 4 MB",
}


@dataclass(frozen=True)
class ScannedSource:
    """The result of scanning a source, kept between reruns: counts, not the table."""

    path: str
    layout: str
    why: str
    counts: dict[str, Any]
    columns: dict[str, list[str]]
    read: dict[str, Any]
    crops: bool


def make_panel() -> None:
    """Show the ways to create a data set."""
    way = choose_one("Source", WAYS, "dataset_way")
    if way == "demo":
        _demo_form()
    elif way == "public":
        _public()
    else:
        _folder()


def start_demo(identities: int = 24, images: int = 20, seed: int = 0, method: str = "bicubic") -> None:
    """Start a run that generates the demo under a free name."""
    root = datasets_root(settings())
    out = root / free_name(root, "demo")
    start_dataset_run(DemoConfig(out=out, identities=identities, images=images, seed=seed, method=method))


def scan_source(text: str, layout: str | None, pattern: str, columns: dict[str, str]) -> ScannedSource:
    """Scan the source typed in. Raises SourceInvalid, DatasetInvalid, StorageFailed."""
    path = typed_path(text)
    read: dict[str, Any] = {
        "layout": layout,
        "pattern": pattern.strip() or None,
        "columns": {name: heading.strip() for name, heading in columns.items() if heading.strip()} or None,
    }
    found = scan(path, **read)
    return ScannedSource(
        str(path), found.layout, found.why, counted(found.frame), choices(found.frame), read, found.crops
    )


def _folder() -> None:
    with st.form("dataset_scan", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            text = st.text_input(
                "Folder, CSV or tar shards on this machine",
                key="dataset_path",
                placeholder="/home/you/photographs",
                max_chars=4000,
            )
            asked = st.form_submit_button("Scan the source", icon=":material/search:")
        with st.expander("Reading options", icon=":material/tune:", key="dataset_how"):
            layout = st.selectbox(
                "Layout",
                list(_LAYOUTS),
                index=None,
                placeholder="detect automatically",
                format_func=_LAYOUTS.__getitem__,
                key="dataset_layout",
            )
            pattern = st.text_input(
                "File name pattern",
                key="dataset_pattern",
                placeholder=r"(?P<identity>\d{3})_.*",
                max_chars=500,
                help="A regular expression with a group named identity. Its other groups become columns.",
            )
            with st.container(horizontal=True):
                path_column = st.text_input("CSV column with paths", key="dataset_col_path", placeholder="path")
                who_column = st.text_input(
                    "CSV column or JSON key with names", key="dataset_col_who", placeholder="identity"
                )
    if asked:
        st.session_state.pop("dataset_found", None)
        with feedback(), st.spinner("Scanning the source"):
            columns = {"path": path_column, "identity": who_column}
            st.session_state["dataset_found"] = scan_source(text, layout, pattern, columns)
    found: ScannedSource | None = st.session_state.get("dataset_found")
    if found is None:
        st.caption(
            "Five layouts are recognised: train and val folders with hr_images and vlr_images, one folder per person "
            "with photographs or with aligned crops, a CSV file, and WebDataset shards (a folder of .tar files, or a "
            "pattern such as /data/faces-{000..007}.tar). The source isn't changed."
        )
        link("help", "Folder layouts", icon=":material/help:", topic="datasets")
        return
    _show_found(found)
    if found.layout == "dataset" or (found.layout == "notes" and _use_of_pairs() == "split"):
        build_form(Path(found.path), found.columns, Path(found.path).name, key="folder", read=found.read)
    else:
        _ingest_form(found)


def _use_of_pairs() -> str:
    """What to do with a source of large and small crops: split it as it is, or align its large crops again."""
    uses = {"split": "Split it", "align": "Align its crops again"}
    return choose_one("What to do", uses, "dataset_notes_use")


def _show_found(found: ScannedSource) -> None:
    counts = found.counts
    parts = [count(counts["identities"], "person", "people"), count(counts["hr"], "image")]
    if counts["vlr"]:
        parts.append(f"{counts['vlr']:,} VLR")
    splits = ", ".join(f"{part['hr']:,} {name}" for name, part in counts["splits"].items() if name != "unsplit")
    st.info(
        f"**Recognised as {found.layout}**: {plain(found.why)}.\n\n"
        f"{', '.join(parts)}{f' ({splits})' if splits else ''}.",
        icon=":material/folder_open:",
    )


def _ingest_form(found: ScannedSource) -> None:
    root = datasets_root(settings())
    source = Path(found.path)
    with st.form("dataset_ingest", border=False):
        first = _FIRST.get(found.layout, "Each face is detected, aligned to 112 px")
        st.markdown(f"{first}, checked for quality, and reduced to 16, 24 and 32 px.")
        suggestion = free_name(root, source_name(source))
        called = st.text_input("Name", placeholder=suggestion, key="dataset_ingest_name", max_chars=80)
        again = found.layout == "notes"
        if found.crops and not again:
            again = st.checkbox("Align the crops again", key="dataset_ingest_again", help=_ALIGN_AGAIN_HELP)
        with st.expander("Options", icon=":material/tune:", key="dataset_ingest_options"):
            method, seed = _method_and_seed("ingest")
            shard_mb = st.radio(
                "Storage", list(_STORAGE), format_func=_STORAGE.__getitem__, key="dataset_storage", horizontal=True
            )
        verb = "Align and import" if found.layout == "notes" else "Import photographs"
        asked = st.form_submit_button(verb, type="primary", icon=":material/add_photo_alternate:")
    if asked:
        with feedback() as attempt:
            name = checked_name(called) if called.strip() else checked_name(suggestion)
            given = {"method": method, "seed": seed, "align_again": again, "shard_mb": shard_mb or None, **found.read}
            start_dataset_run(IngestConfig(source=source, out=root / name, check=True, **given))
            st.session_state.pop("dataset_found", None)
        if attempt.ok:
            st.rerun()


def _demo_form() -> None:
    with st.form("dataset_demo", border=False):
        st.markdown(
            "Synthetic people whose identity stays the same across pose, light and expression. You can try every "
            "feature without real photographs. Figures measured on them show that everything works, not how "
            "accurately real people are recognised."
        )
        with st.container(horizontal=True):
            people = st.number_input("People", 2, 200, 24, key="dataset_demo_people", width=130)
            images = st.number_input("Images per person", 2, 100, 20, key="dataset_demo_images", width=160)
        with st.expander("Options", icon=":material/tune:", key="dataset_demo_options"):
            method, seed = _method_and_seed("demo")
        asked = st.form_submit_button("Generate", icon=":material/draw:")
    if asked:
        with feedback() as attempt:
            start_demo(int(people), int(images), seed, method)
        if attempt.ok:
            st.rerun()


def _public() -> None:
    root = datasets_root(settings())
    st.markdown("Downloaded with scikit-learn, which verifies the checksums, then imported like your own photographs.")
    for name, text in _PUBLIC.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(text, width="stretch")
            if st.button("Download", icon=":material/download:", key=f"dataset_fetch_{name}"):
                with feedback() as attempt:
                    downloads = settings().data_dir / "downloads"
                    out = root / free_name(root, name)
                    start_dataset_run(FetchConfig(name=name, out=out, downloads=downloads, check=True))
                if attempt.ok:
                    st.rerun()
    st.caption("Without an internet connection, the run explains where to place the files manually.")


def _method_and_seed(key: str) -> tuple[str, int]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.selectbox(
            "Degradation",
            ["bicubic", "camera"],
            key=f"dataset_method_{key}",
            width=240,
            format_func=lambda each: {"bicubic": "Bicubic, as in papers", "camera": "Camera: lens, sensor, JPEG"}[each],
        )
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key=f"dataset_{key}_seed", width=120)
    return str(method), int(seed)
