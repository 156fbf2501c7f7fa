"""The sighting log: the rule for what is kept, the entries, and their deletion."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.csv_export import csv_bytes
from core.gallery.store import Gallery
from core.system.text import count
from core.video.sightings import Sighting, SightingRule, forget, read_rule, sightings, write_rule
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.markdown import plain
from dashboard.ui.pictures import Picture, faces, image_address

_KEY = "identify_sightings"
_FACES_SHOWN = 12


def sightings_panel(gallery: Gallery) -> None:
    """The section, in an expander that draws its content once opened."""
    box = st.expander("Sightings: who was seen when", icon=":material/history:", key=_KEY, on_change="rerun")
    if not box.open:
        return
    with box, feedback():
        _rule(gallery)
        _log(gallery)


def _rule(gallery: Gallery) -> None:
    rule = read_rule(gallery)
    if allowed(Permission.WEIGHTS):
        _rule_form(gallery, rule)
    else:
        st.markdown(_in_words(rule))
        not_yours("Changing this rule", "admin")
    st.caption(
        "Each entry records one appearance of one person in front of one camera. Entries are stored in the gallery "
        "file on this machine, and deleted after the retention time or together with the person."
    )


def _in_words(rule: SightingRule) -> str:
    if not rule.kept:
        return "Nobody is logged."
    pictures = "with" if rule.crops else "without"
    return (
        f"Recognised people are logged {pictures} a picture of the face. Entries are kept for "
        f"{rule.retention_h:g} hours."
    )


def _rule_form(gallery: Gallery, rule: SightingRule) -> None:
    with st.form(f"{_KEY}_rule", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            kept = st.toggle("Log recognised people", rule.kept, key=f"{_KEY}_kept", help="Strangers are never logged.")
            crops = st.toggle("Include a picture of the face", rule.crops, key=f"{_KEY}_crops")
            hours = st.number_input(
                "Keep for (hours)", 0.1, 8784.0, rule.retention_h, step=1.0, format="%g", key=f"{_KEY}_hours", width=160
            )
        asked = st.form_submit_button("Save the rule", icon=":material/rule:")
    if asked:
        with feedback() as attempt:
            gone = write_rule(gallery, SightingRule(kept, crops, float(hours)))
        if attempt.ok:
            deleted = (
                f" {count(gone, 'earlier entry or picture', 'earlier entries or pictures')} deleted." if gone else ""
            )
            st.success(f"Saved. The rule applies to every camera.{deleted}", icon=":material/check_circle:")


def _log(gallery: Gallery) -> None:
    found = sightings(gallery)
    if not found:
        st.markdown(":gray[:material/event_busy: No sightings yet.]")
        return
    table = as_table(found)
    st.dataframe(table, hide_index=True, key=f"{_KEY}_table", height=min(38 + 35 * len(table), 320))
    pictures = [
        Picture(image_address(each.crop), f"{each.name}, {each.began.astimezone():%H:%M}", "Face seen", pixels=True)
        for each in found
        if each.crop is not None
    ]
    if pictures:
        faces(pictures[:_FACES_SHOWN], 72)
    people = {each.identity_id: each.name for each in found}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        offer_download(
            "Log as CSV",
            lambda: csv_bytes(table),
            "sightings.csv",
            "text/csv",
            key=f"{_KEY}_csv",
            what="sightings",
        )
        if not allowed(Permission.DELETE):
            return
        with st.popover("Delete", icon=":material/delete:"):
            whom = st.selectbox(
                "Person",
                [None, *people],
                format_func=lambda number: people.get(number, "Everyone"),
                key=f"{_KEY}_whom",
            )
            if st.button("Delete for good", key=f"{_KEY}_delete"):
                with feedback() as attempt:
                    gone = forget(gallery, whom)
                if attempt.ok:
                    st.toast(plain(f"{count(gone, 'sighting')} deleted."), icon=":material/delete:")
                    st.rerun()


def as_table(found: list[Sighting]) -> pd.DataFrame:
    """The log as shown and downloaded, in local time."""
    return pd.DataFrame(
        {
            "person": [each.name for each in found],
            "from": [f"{each.began.astimezone():%Y-%m-%d %H:%M:%S}" for each in found],
            "to": [f"{each.ended.astimezone():%H:%M:%S}" for each in found],
            "score": [round(each.score, 2) for each in found],
            "threshold": [round(each.threshold, 2) for each in found],
            "size, px": [round(each.probe_px) for each in found],
            "camera": [each.source for each in found],
        }
    )
