"""Which weights are in use and how well they measure: a badge on every page, a card and an offer on Home."""

from __future__ import annotations

import streamlit as st

from core.models.active import InUse, in_use, offers, use_either
from core.models.encoders import Origin, WeightsFile
from core.models.figures import OFFICIAL
from core.models.header import BICUBIC, SIZES, Card, Measured, Rate, read_card, size_name
from core.models.upscalers import UpscalerFile
from core.models.variants import RECOMMENDED
from dashboard.home.weights_setup import weights_panel
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.ui.markdown import markup, plain

ORIGINS: dict[Origin, tuple[str, str, str]] = {
    "official": ("Official weights", "green", "official file"),
    "starter": ("Starter weights", "orange", "starter: limited accuracy"),
    "fine-tuned": ("Fine-tuned weights", "blue", "fine-tuned by this project"),
    "other": ("Not an official file", "orange", "not an official file"),
}
"""Badge, its colour, and the words on Home's status line."""

_ICONS: dict[Origin, str] = {
    "official": ":material/verified:",
    "starter": ":material/warning:",
    "fine-tuned": ":material/tune:",
    "other": ":material/help:",
}

_SHORT = {"evaluation": "EER", "validation": "EER, own validation:"}
"""What the sidebar calls figures, by their source."""

RATES_STYLE = """<style>
.ef-rates {width: 100%; border-collapse: collapse; font-size: .92rem; margin: 2px 0 4px}
.ef-rates th, .ef-rates td {text-align: right; padding: 4px 0 4px 10px; font-weight: 400; white-space: nowrap}
.ef-rates th:first-child {text-align: left; padding-left: 0; white-space: normal}
.ef-rates thead th {opacity: .75; font-size: .84rem} .ef-rates td b {font-weight: 600}
.ef-rates td span {display: block; opacity: .7; font-size: .76rem}
.ef-rates tbody tr {border-top: 1px solid rgba(128, 128, 128, .22)}
@media (max-width: 640px) {.ef-rates {font-size: .82rem} .ef-rates td span {font-size: .64rem}
  .ef-rates th, .ef-rates td {padding-left: 5px}}
</style>"""


def sidebar_status() -> None:
    """Which weights and which upscaler are in use, and how well they measure: on every page."""
    used = in_use(settings())
    with st.sidebar:
        _encoder_badge(used)
        if used.upscaler_problem is not None:
            st.badge("Upscaler missing", icon=":material/warning:", color="orange")
            st.caption(plain(used.upscaler_problem.what))
        elif used.upscaler is not None and used.encoder is not None:
            st.caption(f"Small faces: {plain(upscaler_words(used.upscaler))}")


def _encoder_badge(used: InUse) -> None:
    weights = used.encoder
    if weights is None:
        st.badge("No weights in use", icon=":material/warning:", color="orange")
        if used.encoder_problem is not None:
            st.caption(plain(used.encoder_problem.what))
        return
    words, colour, _ = ORIGINS[weights.origin]
    st.badge(words, icon=_ICONS[weights.origin], color=colour)  # type: ignore[arg-type]
    if weights.official is not None:
        st.caption(f"{plain(weights.official.name)}, byte for byte as published")
    else:
        st.caption(f"{plain(weights.name)}, SHA-256 {weights.sha256[:10]}…")
    figures = used.figures
    if figures is not None and figures.eer:
        small = " · ".join(f"{size_name(size)} {rate.value * 100:.1f} %" for size, rate in figures.eer.items())
        about = " ".join(filter(None, [f"{figures.protocol}.", used.figures_pair]))
        st.caption(f"{_SHORT[figures.source]} {small}", help=plain(about))
    else:
        st.caption("Not measured yet")


def upscaler_words(upscaler: UpscalerFile) -> str:
    """Who enlarges small faces, in a few words."""
    if upscaler.path is None:
        return "bicubic"
    left = " and ".join(str(px) for px in upscaler.bicubic_px)
    return f"{upscaler.name}{f'; bicubic at {left} px, where it measures better' if left else ''}"


def weights_card(used: InUse) -> None:
    """The model card of what is in use: where it comes from, and its equal error rates with their protocol."""
    weights = used.encoder
    if weights is None:
        return
    card, figures = read_card(weights.metadata), used.figures
    with st.container(border=True, key="home_weights_card"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("#### How accurate these weights are", width="content")
            words, colour, _ = ORIGINS[weights.origin]
            st.badge(words, icon=_ICONS[weights.origin], color=colour)  # type: ignore[arg-type]
        if figures is None:
            st.markdown("These weights haven't been measured yet. Measure them on your own data.")
        else:
            st.html(RATES_STYLE + rates_html(figures))
            st.caption(f"Equal error rate, lower is better. {plain(figures.protocol)}.")
            if figures.source == "validation":
                st.caption("The training chose these weights by these people, which flatters. Measure them on others.")
        if figures is None or figures.source == "validation":
            link("accuracy", "Measure their accuracy", icon=":material/monitoring:")
        if used.upscaler is not None:
            st.markdown(f"**Small faces are enlarged by** {plain(upscaler_words(used.upscaler))}.")
        if used.figures_pair:
            st.caption(f"These figures belong to another pair. {plain(used.figures_pair)}")
        if used.mismatch:
            st.warning(plain(used.mismatch), icon=":material/sync_problem:")
            _offer_partner(used)
        origin = _origin(weights, card)
        if origin or (used.upscaler is not None and used.upscaler.path is not None):
            with st.expander("Model card", icon=":material/badge:"):
                if origin:
                    st.html(_facts_html(weights.name, origin))
                if used.upscaler is not None and used.upscaler.path is not None:
                    st.html(_facts_html(used.upscaler.name, _upscaler_origin(used.upscaler)))
        link("help", "What the figures mean", icon=":material/help:", topic="weights-measured")


def _offer_partner(used: InUse) -> None:
    """A button for each stored file that would make a pair of what is in use."""
    if not allowed(Permission.WEIGHTS):
        return
    for file in offers(settings(), used):
        kept = used.upscaler if isinstance(file, WeightsFile) else used.encoder
        what = f"Use {file.name} with {kept.name if kept else 'it'}"
        if st.button(plain(what), icon=":material/join_inner:", key=f"home_pair_{file.sha256[:12]}"):
            with feedback() as attempt, st.spinner("Trying it on faces"):
                use_either(settings(), file.path or BICUBIC)
            if attempt.ok:
                st.session_state["home_said"] = f"{file.name} is in use."
                st.rerun()


def rates_html(figures: Measured) -> str:
    """Rates by probe size as a table: percent, with the 95 % interval below where it is known."""
    sizes = [size for size in SIZES if size in figures.eer or size in figures.eer_vlr_hr]
    head = "".join(f"<th>{size_name(size)}</th>" for size in sizes)
    rows = "".join(
        f"<tr><th>{title}</th>{''.join(_rate_cell(rates.get(size)) for size in sizes)}</tr>"
        for title, rates in (("Both faces of that size", figures.eer), ("One small, one large", figures.eer_vlr_hr))
        if rates
    )
    return f"<table class='ef-rates'><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _rate_cell(rate: Rate | None) -> str:
    if rate is None:
        return "<td></td>"
    bounds = ""
    if rate.low is not None and rate.high is not None:
        bounds = f"<span>{rate.low * 100:.2f} to {rate.high * 100:.2f}</span>"
    return f"<td><b>{rate.value * 100:.2f} %</b>{bounds}</td>"


def _origin(weights: WeightsFile, card: Card) -> dict[str, str]:
    if weights.official is not None or weights.origin == "other":
        return {}
    parent = f"SHA-256 {card.parent_sha256[:16]}…" if card.parent_sha256 else "none: random initialisation"
    trained_with = card.trained_with_upscaler
    shown = trained_with if len(trained_with) < 20 else f"SHA-256 {trained_with[:16]}…"
    return {
        "Parent": parent,
        "Trained by": card.trained_by,
        "Data": _hash(card.data_sha256),
        "Upscaler": shown,
        "Made": card.made_at,
        "File": f"SHA-256 {weights.sha256[:16]}…, {weights.size_bytes / 1e6:.1f} MB",
    }


def _upscaler_origin(upscaler: UpscalerFile) -> dict[str, str]:
    card = read_card(upscaler.metadata)
    config = card.config
    sizes = f"{config.get('min_px')} to {config.get('max_px')} px" if "min_px" in config else ""
    return {
        "Trained for": sizes,
        "Trained by": card.trained_by,
        "Data": _hash(card.data_sha256),
        "Made": card.made_at,
        "File": f"SHA-256 {upscaler.sha256[:16]}…, {upscaler.size_bytes / 1e6:.2f} MB",
    }


def _hash(sha256: str) -> str:
    return f"SHA-256 {sha256[:16]}…" if sha256 else ""


def _facts_html(title: str, facts: dict[str, str]) -> str:
    lines = "".join(
        f"<div class='ef-quiet'>{markup(name)}: {markup(value)}</div>" for name, value in facts.items() if value
    )
    return f"<div class='ef-name' style='font-size:.95rem'>{markup(title)}</div>{lines}"


def starter_offer() -> None:
    """While the starter is in use: what it is good for, and the official weights, to fetch or from a file."""
    official = OFFICIAL[f"{RECOMMENDED}_q"][0]
    figures = (
        plain(official.with_intervals).replace(" %", "\u00a0%").replace(" px", "\u00a0px")
    )  # a line breaks between sizes
    st.info(
        "**Starter weights: limited accuracy.** They came with this project so that it works without a download. The "
        f"official ones recognise better: equal error rate with the 95 % interval {figures} "
        f"({plain(official.protocol)}).",
        icon=":material/tips_and_updates:",
    )
    weights_panel(primary=False)
