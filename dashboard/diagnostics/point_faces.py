"""Faces of a cloud's points: a data set's files, or the crops that a gallery keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.diagnostics.cloud import HR_VIEW, Cloud
from dashboard.diagnostics.gallery_data import crop_address
from dashboard.diagnostics.map_points import taken_for
from dashboard.ui.markdown import shorten
from dashboard.ui.pictures import Picture, faces, picture_of_file

BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
_WIDTH_PX = 92


def faces_of(cloud: Cloud, rows: NDArray[np.int64] | Sequence[int], found: pd.DataFrame | None = None) -> None:
    """The faces of these rows with their names, sizes, and what came of searching them."""
    faces([_picture(cloud, int(row), found) for row in rows], _WIDTH_PX)


def _picture(cloud: Cloud, row: int, found: pd.DataFrame | None) -> Picture:
    point: Mapping[Any, Any] = cloud.table.iloc[row].to_dict()
    small = point["view"] != HR_VIEW
    words = taken_for(found.iloc[row].to_dict()) if found is not None else ""
    told = [shorten(str(point["identity"]), 40), str(point["view"]) if small else "", words]
    address = address_of(cloud, row)
    missing = "" if address else "no picture kept"
    caption = " · ".join(each for each in (*told, missing) if each)
    return Picture(address or BLANK, caption, f"Face of {point['identity']}", pixels=small)


def address_of(cloud: Cloud, row: int) -> str | None:
    """What a point looks like, as an address for <img>: a gallery's crop, its file, or its HR reduced as was shown."""
    point: Mapping[Any, Any] = cloud.table.iloc[row].to_dict()
    if int(point["template"]) >= 0:
        return crop_address(int(point["owner"]), int(point["template"]))
    path = Path(str(point["path"]))
    reduced = point["view"] != HR_VIEW and (point["hr"] < 0 or cloud.table["path"].iloc[int(point["hr"])] == str(path))
    return picture_of_file(path, int(str(point["view"]).split(" ")[0]) if reduced else None)


def strip(pictures: Sequence[Picture]) -> None:
    """A row of faces of one finding."""
    if pictures:
        faces(list(pictures), _WIDTH_PX)
    else:
        st.caption("No pictures were kept: only the numbers that recognition needs.")
