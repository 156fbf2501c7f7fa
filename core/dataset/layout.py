"""Folder layout of a data set: one folder for each split, kind and size, or shards."""

from __future__ import annotations

import re

SPLITS = ("train", "val", "test")
UNSPLIT = "all"
"""The folder of images without a split; their `split` is "" in the manifest."""

HR = "hr"
VLR = "vlr"
HR_FOLDER = "hr_images"
VLR_FOLDER = "vlr_images"

MANIFEST_NAME = "manifest.csv"
INFO_NAME = "dataset.json"
REJECTED_NAME = "rejected.csv"
UNFINISHED_NAME = "unfinished.json"
SHARDS_FOLDER = "shards"

_SPLIT_FOLDER = re.compile(r"(train|val|test|all)(_processed)?", re.IGNORECASE)
_KIND_FOLDER = re.compile(r"(hr|vlr)_images(?:_(\d{1,3}))?", re.IGNORECASE)
_SHARD = re.compile(r".*?\.tar(?=/)", re.IGNORECASE)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


def kind_folder(kind: str, size_px: int, vlr_px: int) -> str:
    """The folder of one kind and size: "hr_images", "vlr_images" (the main size) or "vlr_images_16"."""
    if kind == HR:
        return HR_FOLDER
    return VLR_FOLDER if size_px == vlr_px else f"{VLR_FOLDER}_{size_px}"


def relative_path(split: str, kind: str, size_px: int, vlr_px: int, name: str) -> str:
    """An image's path under its data set's root, POSIX: "train/hr_images/007__a.png"; split "" is "all"."""
    return f"{split or UNSPLIT}/{kind_folder(kind, size_px, vlr_px)}/{name}"


def split_of_folder(name: str) -> str | None:
    """ "train" for "train" and "train_processed", "" for "all", None for any other folder."""
    match = _SPLIT_FOLDER.fullmatch(name)
    if match is None:
        return None
    found = match[1].lower()
    return "" if found == UNSPLIT else found


def kind_of_folder(name: str) -> tuple[str, int | None] | None:
    """("vlr", 16) for "vlr_images_16", ("hr", None) for "hr_images", None for any other folder."""
    match = _KIND_FOLDER.fullmatch(name)
    return None if match is None else (match[1].lower(), int(match[2]) if match[2] else None)


def placed_file(path: str) -> str:
    """The file that holds an image: the shard of "shards/00000.tar/000000012.hr.png", any other path itself."""
    found = _SHARD.match(path)
    return found[0] if found else path


def group_of(path: str) -> str:
    """What images of one kind and size share in their paths: the folder's name, in a shard's root the member's ending
    ("vlr_16.png")."""
    folder, _, name = path.rpartition("/")
    return name.partition(".")[2] if placed_file(path) == folder else folder.rpartition("/")[2]


def image_name(identity: str, stem: str) -> str:
    """The file name "<identity>__<stem>.png", without characters that file systems refuse."""
    return f"{_UNSAFE.sub('_', identity)}__{_UNSAFE.sub('_', stem)}.png"
