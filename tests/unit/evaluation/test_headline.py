"""The sentence that sums an evaluation up names every degradation."""

from __future__ import annotations

import pandas as pd

from core.evaluation.headline import headline, listed_headline

ROWS = pd.DataFrame(
    [
        {"system": system, "mode": mode, "degradation": degradation, "probe": probe, "pairing": pairing, "eer": eer}
        for system, more in (("xxs + dsr", 0), ("xxs, direct feed", 0.1))
        for mode in ("aligned", "end to end")
        for degradation, probe, pairing, eer in (
            ("", "HR", "HR-HR", 0.01 + more),
            ("bicubic", "16 px", "VLR-VLR", 0.06 + more),
            ("bicubic", "16 px", "VLR-HR", 0.04 + more),
            ("camera", "16 px", "VLR-HR", 0.17 + more),
        )
    ]
).assign(genuine=1200, impostor=3400, protocol="pairs file")
AMOUNTS = "up to 1,200 genuine and 3,400 impostor"


def test_both_degradations_are_named() -> None:
    assert headline({"verification": ROWS}, ("verification",)) == (
        f"EER against HR, aligned, with xxs + dsr ({AMOUNTS} pairs): HR 1.00 %; bicubic: 16 px 4.00 %; "
        "camera: 16 px 17.00 %."
    )
    assert listed_headline(ROWS) == (
        f"EER of listed pairs ({AMOUNTS}), aligned, xxs + dsr: HR HR-HR 1.00 %; bicubic: 16 px VLR-VLR 6.00 %, "
        "16 px VLR-HR 4.00 %; camera: 16 px VLR-HR 17.00 %."
    )


def test_one_degradation_needs_no_name() -> None:
    said = headline({"verification": ROWS[ROWS["degradation"] != "camera"]}, ("verification",))
    assert said.endswith(": HR 1.00 %, 16 px 4.00 %.")


def test_no_pairs_and_similarity_alone() -> None:
    assert headline({}, ("verification",)).startswith("No pair could be compared")
    similar = ROWS.assign(by="everyone", group="everyone", similarity=0.5, images=7)
    assert headline({"similarity": similar[similar["pairing"] == "VLR-HR"]}, ("similarity",)) == (
        "Mean cosine of small faces to their own full-size faces, aligned, with xxs + dsr (7 images): "
        "16 px bicubic 0.500, 16 px camera 0.500."
    )
    assert headline({}, ("reject",)) == ""
