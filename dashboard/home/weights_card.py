"""The card of the weights in use on Home: their equal error rates, their origin, and the offer of official weights."""

from __future__ import annotations

import streamlit as st

from core.models.active import ActiveModels, partners, use_model
from core.models.encoders import WeightsFile
from core.models.figures import official_figures, remark
from core.models.files import is_shipped
from core.models.header import Card, read_card
from core.models.measured import BICUBIC
from core.models.upscalers import UpscalerFile
from dashboard.home.weights_setup import weights_panel
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.weights_badge import badge_of, protocol_words, upscaler_words
from dashboard.ui.figure_cells import rates_html
from dashboard.ui.markdown import markup, plain


def weights_card(used: ActiveModels) -> None:
    """The model card of the weights in use: origin, and equal error rates with their protocol."""
    weights = used.encoder
    if weights is None:
        return
    card, figures = read_card(weights.metadata), used.figures
    with st.container(border=True, key="home_weights_card"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("#### How accurate these weights are", width="content")
            badge_of(weights).show()
        if figures is None:
            st.markdown("The accuracy of these weights hasn't been measured yet. Measure it on your own data.")
        else:
            st.html(rates_html(figures))
            st.caption(f"Equal error rate, lower is better. {plain(protocol_words(figures, weights))}.")
            if figures.source == "validation":
                st.caption(
                    "These weights were selected on the same people, so the figures are optimistic. Measure them on "
                    "other people."
                )
        if figures is None or figures.source == "validation":
            link("accuracy", "Measure their accuracy", icon=":material/monitoring:")
        if used.upscaler is not None:
            done = "enlarged" if used.upscaler.specialist is None else "recognised"
            st.markdown(f"**Small faces are {done} by** {plain(upscaler_words(used.upscaler))}.")
        if used.figures_pair:
            st.caption(
                f"These figures were measured with a different pair of encoder and upscaler. {plain(used.figures_pair)}"
            )
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


def _offer_partner(used: ActiveModels) -> None:
    """A button for each stored file that was measured together with a file in use."""
    if not allowed(Permission.WEIGHTS):
        return
    for file in partners(settings(), used):
        kept = used.upscaler if isinstance(file, WeightsFile) else used.encoder
        what = f"Use {file.name} with {kept.name if kept else 'it'}"
        if st.button(plain(what), icon=":material/join_inner:", key=f"home_pair_{file.sha256[:12]}"):
            with feedback() as attempt, st.spinner("Checking it on faces"):
                use_model(settings(), file.path or BICUBIC)
            if attempt.ok:
                st.session_state["home_said"] = f"{file.name} is in use."
                st.rerun()


def _origin(weights: WeightsFile, card: Card) -> dict[str, str]:
    if weights.official is not None or weights.origin == "other":
        return {}
    parent = f"SHA-256 {card.parent_sha256[:16]}…" if card.parent_sha256 else "none: random initialisation"
    trained_with = card.trained_with_upscaler
    shown = trained_with if len(trained_with) < 20 else f"SHA-256 {trained_with[:16]}…"
    return {
        "In the space of": f"SHA-256 {card.space_of[:16]}…" if card.space_of else "",
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
    own = upscaler.specialist
    if own is not None:
        sizes = f"faces up to {own.max_px} px, beside {own.weights_name or 'other weights'}"
    return {
        "Trained for": sizes,
        "Measured": remark(upscaler.sha256),
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
    """The offer of official weights, shown while weights that were trained from scratch are in use."""
    st.info(
        f"**Starter weights: limited accuracy.** They were trained from scratch. The official weights are more "
        f"accurate{_official_figures()}.",
        icon=":material/tips_and_updates:",
    )
    weights_panel(primary=False)


def other_weights(weights: WeightsFile) -> None:
    """Other weights, behind a title: while the shipped ones are in use, what the official ones are for."""
    shipped = is_shipped(settings(), weights)
    title = "Official weights, other variants and your own" if shipped else "Change the weights"
    with st.expander(title, icon=":material/tune:"):
        if shipped:
            figures = _official_figures()
            st.markdown(
                f"The shipped weights are {weights.product_name}, fine-tuned by this project, and need no download. "
                "The authors' official weights come in several variants, and publications compare with them."
                f"{figures and f' Their EdgeFace-XXS{figures}.'}"
            )
        weights_panel(primary=False)


def _official_figures() -> str:
    """Their equal error rates with the protocol, after a colon; "" where they aren't known."""
    official = official_figures(settings())
    if official is None:
        return ""
    # A line breaks between sizes.
    figures = plain(official.line).replace(" %", "\u00a0%").replace(" px", "\u00a0px")
    return f": equal error rate {figures} ({plain(official.protocol)})"
