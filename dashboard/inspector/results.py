"""The results of an inspection: the verdict, the figures, the closest people, and every step."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.inspection.face import HR_NAME
from core.inspection.sheet import figure_cells
from core.inspection.values import INVENTED, Answer, Enlarged, Inspection, Ranking
from core.models.figures import remark
from dashboard.shell.navigation import go, link
from dashboard.ui.markdown import markup, plain, shorten

_SIGNS: dict[Answer, str] = {
    "helps": ":green[:material/trending_up:]",
    "harms": ":orange[:material/trending_down:]",
    "no difference": ":gray[:material/trending_flat:]",
    "unknown": ":gray[:material/help:]",
}

HEADINGS: dict[Answer, str] = {
    "helps": "Super-resolution helps this face",
    "harms": "Super-resolution harms this face",
    "no difference": "Super-resolution makes no difference here",
    "unknown": "Nothing to compare yet",
}


_SPECIALIST = ("Super-resolution", "The specialist")


def verdict_line(inspection: Inspection) -> None:
    """Show whether super-resolution helps this face; where no network is in use, the way to one."""
    verdict = inspection.verdict
    guess = inspection.dsr is None or inspection.dsr.invented
    heading = HEADINGS[verdict.answer] if guess else HEADINGS[verdict.answer].replace(*_SPECIALIST)
    st.subheader(f"{_SIGNS[verdict.answer]} {heading}", anchor=False)
    st.markdown(plain(verdict.sentence))
    if inspection.dsr is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Train a super-resolution network", icon=":material/model_training:", key="inspector_train"):
                go("training")
            link("home", "Choose one on Home", icon=":material/home:")
    elif guess:
        name = plain(inspection.dsr.name)
        st.caption(f":material/warning: {name} is {INVENTED}. It isn't evidence of what a face looks like.")
        if said := remark(inspection.upscaler_sha256):
            st.caption(plain(said))


def figures_table(inspection: Inspection) -> None:
    """PSNR, SSIM, cosine and rank of each picture; the better of bicubic and DSR is in bold."""
    st.html(figures_html(inspection))
    flip = ", with flip" if inspection.flip_tta else ""
    st.caption(
        f"Against HR at 112 px; PSNR and SSIM on 8-bit RGB, cosine by {plain(inspection.encoder)} "
        f"({inspection.precision}{flip}). In recognition, a face of {inspection.subject.size_px} px is enlarged by "
        f"{plain(inspection.in_use)}. Degradation: {plain(inspection.subject.made_small)}."
    )


def figures_html(inspection: Inspection) -> str:
    """The table; names are escaped."""
    heads = "".join(f"<th>{each}</th>" for each in ("", "PSNR, dB", "SSIM", "Cosine to HR", "Rank"))
    rows = []
    for one in inspection.enlarged:
        if one is inspection.hr and (one.ranking is None or one.ranking.rank is None):
            continue  # HR against itself means nothing
        name, *cells = figure_cells(one)[:5]
        best = _better(one, inspection)
        row = "".join(
            f"<td class='ef-best'>{markup(cell)}</td>" if wins else f"<td>{markup(cell)}</td>"
            for cell, wins in zip(cells, best, strict=True)
        )
        rows.append(f"<tr><th>{markup(name)}</th>{row}</tr>")
    return f"<table class='ef-figures'><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _better(one: Enlarged, inspection: Inspection) -> tuple[bool, bool, bool, bool]:
    """Which figures of a row are better than those of the other upscaler."""
    dsr, bicubic = inspection.dsr, inspection.bicubic
    if dsr is None or one is inspection.hr:
        return False, False, False, False
    other = bicubic if one is dsr else dsr
    higher = [
        mine is not None and its is not None and mine > its
        for mine, its in ((one.psnr_db, other.psnr_db), (one.ssim, other.ssim), (one.similarity, other.similarity))
    ]
    ranks = [each.ranking.rank if each.ranking else None for each in (one, other)]
    return higher[0], higher[1], higher[2], ranks[0] is not None and ranks[1] is not None and ranks[0] < ranks[1]


def nearest_people(inspection: Inspection, identity: str) -> None:
    """The people closest to each picture, with the true person marked."""
    st.html(nearest_html(inspection.enlarged, identity))
    alone = identity and all(one.ranking is None or one.ranking.rank is None for one in inspection.enlarged)
    unranked = f" {plain(shorten(identity, 40))} has no other picture there and so no rank." if alone else ""
    st.caption(f"The highest cosines among {plain(inspection.reference)}.{unranked}")


def nearest_html(enlarged: Sequence[Enlarged], identity: str) -> str:
    """Lists side by side; names are escaped."""
    lists = [_list(one, one.ranking, identity) for one in enlarged if one.ranking is not None]
    return f"<div class='ef-near'>{''.join(lists)}</div>"


def _list(one: Enlarged, ranking: Ranking, identity: str) -> str:
    items = [_item(near.name, near.score, identity, place) for place, near in enumerate(ranking.nearest, start=1)]
    if ranking.rank is not None and ranking.rank > len(ranking.nearest) and ranking.genuine is not None:
        items.append(_item(identity, ranking.genuine, identity, ranking.rank))
    quiet = INVENTED if one.invented else "the original" if one.name == HR_NAME else "adds no detail"
    return f"<div><b>{markup(one.name)}</b><small>{quiet}</small><ol>{''.join(items)}</ol></div>"


def _item(name: str, score: float, identity: str, rank: int) -> str:
    kind = " class='ef-true'" if name == identity else ""
    return f"<li{kind}><span>{rank:,}.&nbsp;{markup(shorten(name, 40))}</span><span>{score:.3f}</span></li>"


def steps_panel(inspection: Inspection) -> None:
    """Shapes, ranges and times of every step, and what is wrong."""
    wrong = [step for step in inspection.steps if step.problem]
    if wrong:
        st.warning(
            "; ".join(f"{plain(step.name)}: {plain(step.problem)}" for step in wrong) + ".", icon=":material/warning:"
        )
    with st.expander("Steps: shapes, ranges and times", icon=":material/format_list_numbered:", key="inspector_steps"):
        table = pd.DataFrame(
            [
                {
                    "Step": step.name,
                    "Shape": " × ".join(str(side) for side in step.shape),
                    "Type": step.dtype,
                    "Lowest": round(step.low, 3),
                    "Highest": round(step.high, 3),
                    "Mean": round(step.mean, 3),
                    "Std": round(step.std, 3),
                    "Problem": step.problem or "none",
                }
                for step in inspection.steps
            ]
        )
        st.dataframe(table, hide_index=True)
        times = ", ".join(f"{plain(name)} {ms:.0f} ms" for name, ms in inspection.timings_ms.items())
        st.caption(
            f"On this machine: {times}. Encoder {plain(inspection.encoder)}, SHA-256 "
            f"{inspection.encoder_sha256[:16]}…; upscaler {plain(inspection.upscaler)}"
            + (f", SHA-256 {inspection.upscaler_sha256[:16]}…." if inspection.dsr is not None else ".")
        )
