"""The pictures of an inspection: panels and difference maps with a common zoom, and a slider between any two.

A component of our own (Streamlit's component API, with the script and style in this folder): the package on PyPI for
this has not been maintained since 2023, and has no zoom and no keyboard control.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from core.images import encode_image
from core.inspection.colours import colour_bar, difference_map, shared_scale
from core.inspection.values import INVENTED, Enlarged, Inspection
from dashboard.ui.pictures import image_address

_HERE = Path(__file__).parent
_BAR_PX = (128, 8)

_component = st.components.v2.component(
    "edgeface_inspector_compare",
    html="<div class='ef-compare'></div>",
    css=(_HERE / "image_compare.css").read_text(encoding="utf-8"),
    js=(_HERE / "image_compare.js").read_text(encoding="utf-8"),
)


def compare_pictures(inspection: Inspection, key: str) -> None:
    """Show the pictures of an inspection; zoom, position and the two compared pictures persist from face to face."""
    _component(key=key, data=compare_data(inspection))


def compare_data(inspection: Inspection) -> dict[str, Any]:
    """The component's data: pictures with label and note, the colour scale, and the two compared first."""
    subject = inspection.subject
    pictures = [
        {
            "id": "vlr",
            "label": f"VLR, {subject.size_px} px",
            "note": subject.made_small.partition(":")[0],
            "row": 0,
            "src": image_address(encode_image(subject.vlr, "png")),
            "crisp": True,
        },
        *(_picture(one, place) for one, place in _placed(inspection)),
    ]
    maps = [(one, place) for one, place in _placed(inspection) if one.difference is not None and place != "hr"]
    scale = shared_scale([one.difference for one, _ in maps if one.difference is not None])
    for one, place in maps:
        assert one.difference is not None
        coloured = difference_map(one.difference, scale)
        mean = float(one.difference.mean())
        pictures.append(
            {
                "id": f"map_{place}",
                "label": f"|{one.name} − HR|",
                "note": f"mean {mean:.1f} of 255",
                "row": 1,
                "src": image_address(encode_image(coloured, "png")),
                "crisp": False,
            }
        )
    legend = None
    if maps:
        bar = image_address(encode_image(colour_bar(*_BAR_PX), "png"))
        legend = {"src": bar, "low": "0", "high": f"{scale} of 255"}
    ids = [str(picture["id"]) for picture in pictures]
    left = "dsr" if "dsr" in ids else "bicubic"
    right = next(each for each in ("hr", "bicubic", "vlr") if each in ids and each != left)
    return {"pictures": pictures, "legend": legend, "a": left, "b": right}


def _placed(inspection: Inspection) -> list[tuple[Enlarged, str]]:
    found = [(inspection.bicubic, "bicubic"), (inspection.dsr, "dsr"), (inspection.hr, "hr")]
    return [(one, place) for one, place in found if one is not None]


def _picture(one: Enlarged, place: str) -> dict[str, Any]:
    notes = {"bicubic": "adds no detail", "dsr": INVENTED, "hr": "the original"}
    return {
        "id": place,
        "label": "HR" if place == "hr" else one.name,
        "note": notes[place],
        "row": 0,
        "src": image_address(encode_image(one.image, "png")),
        "crisp": False,
    }
