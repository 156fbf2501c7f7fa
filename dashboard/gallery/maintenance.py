"""The gallery's safety: backups and the way back, encryption, and how long pictures are kept."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.gallery.backup import Backup, back_up, backups_of, restore
from core.gallery.encryption import key_unused, protection_of
from core.gallery.store import Gallery
from core.privacy.retention import purge, read_retention, write_retention
from core.system.text import count
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.readiness import forget_faces
from dashboard.shell.resources import settings
from dashboard.ui.handoff import say_on_gallery
from dashboard.ui.markdown import plain


def safety(store: Gallery) -> None:
    """The section."""
    st.subheader("Safety", anchor=False)
    with feedback():
        if (unused := key_unused(store)) is not None:
            st.warning(
                f"A key is set ({unused.fingerprint}), but this gallery isn't encrypted: it is older than the key. "
                "`edgeface-studio gallery encrypt FILE` encrypts it.",
                icon=":material/lock_open:",
            )
    _backups(store)
    _kept(store)


def _backups(store: Gallery) -> None:
    found = backups_of(store.path)
    with st.expander(f"Backups ({len(found)})", icon=":material/backup:"):
        if not found:
            st.caption("No backup yet. One is made while the gallery is in use, checked, and kept beside it.")
        if st.button("Back up now", icon=":material/save:", key="gallery_backup"):
            with feedback() as attempt, st.spinner("Copying and checking"):
                made = back_up(store, actor="dashboard")
            if attempt.ok:
                say_on_gallery(f"Backed up: {count(made.people, 'person', 'people')} in {made.path.name}.")
                st.rerun()
        if not found:
            return
        st.dataframe(
            [_row(each) for each in found],
            hide_index=True,
            width="stretch",
            column_config={"made (UTC)": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC")},
        )
        usable = [each for each in found if not each.problem]
        if usable:
            _restore(store, usable)
        st.caption("A backup is on the same disk: copy it elsewhere too. It holds what the gallery held.")


def _row(backup: Backup) -> dict[str, object]:
    return {
        "made (UTC)": backup.made_at,
        "people": backup.people,
        "templates": backup.templates,
        "encrypted": "yes" if backup.protection.encrypted else "no",
        "MB": round(backup.size_bytes / 1e6, 1),
        "file": backup.path.name,
        "problem": backup.problem,
    }


def _restore(store: Gallery, usable: list[Backup]) -> None:
    with st.form("gallery_restore", border=False):
        chosen = st.selectbox(
            "Go back to",
            range(len(usable)),
            format_func=lambda at: (
                f"{usable[at].made_at:%-d %B %Y, %H:%M} UTC: {count(usable[at].people, 'person', 'people')}"
            ),
            key=f"gallery_restore_which_{len(usable)}",
        )
        sure = st.checkbox("Replace the gallery; what is there now is backed up first", key="gallery_restore_sure")
        asked = st.form_submit_button("Restore", icon=":material/settings_backup_restore:")
    if not asked:
        return
    if not sure:
        st.info("Tick the box first: the gallery is replaced.", icon=":material/check_box_outline_blank:")
        return
    with feedback() as attempt, st.spinner("Checking the backup, then restoring"):
        done = restore(store, usable[chosen].path, actor="dashboard")
    if attempt.ok:
        forget_faces()
        st.session_state.pop("gallery_open", None)
        say_on_gallery(done.text)
        st.rerun()


def _kept(store: Gallery) -> None:
    with st.expander("Encryption and how long pictures are kept", icon=":material/lock_clock:"):
        with feedback():
            state = protection_of(store)
            if state.encrypted:
                st.success(
                    plain(
                        f"Encrypted on the disk (key {state.fingerprint}): names, notes, numbers and pictures. "
                        "Exports aren't."
                    ),
                    icon=":material/lock:",
                )
            else:
                st.info(
                    "Not encrypted: anybody who can read this machine's files can read the gallery. "
                    "`edgeface-studio gallery make-key FILE` makes a key, `gallery encrypt FILE` uses it.",
                    icon=":material/lock_open:",
                )
            _retention(store)
        link("help", "Keys, backups and erasing", icon=":material/help:", topic="encryption")


def _retention(store: Gallery) -> None:
    times = read_retention(settings())
    with st.form("gallery_retention", border=False):
        days = st.number_input(
            "Delete pictures of faces after so many days (0: keep them)",
            min_value=0,
            max_value=36_500,
            value=times.crops_days or 0,
            step=30,
            key="gallery_crops_days",
        )
        st.caption("People stay recognisable by their numbers. Without pictures they can't be taken to other weights.")
        if not st.form_submit_button("Save", icon=":material/save:"):
            return
    write_retention(settings(), replace(times, crops_days=int(days) or None))
    removed = sum(one.count for one in purge(settings(), store))
    forget_faces()
    say_on_gallery("Saved." if not removed else f"Saved, and {count(removed, 'picture')} older than that deleted.")
    st.rerun()
