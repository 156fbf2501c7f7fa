"""Accuracy against resolution: one table from an evaluation's verification and identification."""

from __future__ import annotations

import pandas as pd

from core.evaluation.result import Evaluation

_BY = ["system", "mode", "degradation", "probe", "size_px"]


def resolution_table(evaluation: Evaluation) -> pd.DataFrame:
    """A row for each system, mode, degradation, size and pairing, largest probes last: eer, tar (at FAR 0.1 %) and
    rank1 with their intervals (_low, _high), and failure_to_acquire beside them. HR counts as 112 px."""
    verified = evaluation.table("verification")
    if verified.empty:
        return pd.DataFrame(columns=[*_BY, "pairing", "eer", "tar", "rank1", "failure_to_acquire"])
    rows = verified[verified["protocol"] == "all pairs"] if "protocol" in verified else verified
    rows = rows.rename(columns={f"tar_at_far_0.001{end}": f"tar{end}" for end in ("", "_low", "_high")})
    wanted = [
        *_BY,
        "pairing",
        "eer",
        "eer_low",
        "eer_high",
        "tar",
        "tar_low",
        "tar_high",
        "failure_to_acquire",
    ]
    table = rows[wanted]
    ranked = evaluation.table("identification")
    if not ranked.empty:
        table = table.merge(ranked[[*_BY, "rank1", "rank1_low", "rank1_high"]], on=_BY, how="left")
    return table.sort_values(["system", "mode", "degradation", "pairing", "size_px"], kind="stable").reset_index(
        drop=True
    )
