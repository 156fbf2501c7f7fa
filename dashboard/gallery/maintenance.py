"""Maintenance of the gallery: backups and restoring, encryption, and the retention of pictures."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.gallery.backup import Backup, back_up, list_backups, restore
from core.gallery.encryption import protection_of, unused_key
from core.gallery.server import SCHEMA_ON_SERVERS
from core.gallery.store import Gallery
from core.privacy.retention import purge, read_retention, write_retention
from core.system.server_address import is_server
from core.system.text import count
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.readiness import forget_faces
from dashboard.shell.resources import settings
from dashboard.ui.handoff import say_on_gallery
from dashboard.ui.markdown import plain


def maintenance_section(store: Gallery) -> None:
    """Show backups, encryption and retention."""
    st.subheader("Safety", anchor=False)
    with feedback():
        if (unused := unused_key(store)) is not None:
            st.warning(
                f"A key is set ({unused.fingerprint}), but this gallery isn't encrypted because it is older than the "
                "key. Encrypt it with `edgeface-studio gallery encrypt FILE`.",
                icon=":material/lock_open:",
            )
    if is_server(store.path):
        st.info(
            "This gallery is on a server. Back it up with the server's own tools "
            f"(`pg_dump --schema {SCHEMA_ON_SERVERS}`), or export it.",
            icon=":material/dns:",
        )
    else:
        _backups(store)
    _encryption_and_retention(store)


def _backups(store: Gallery) -> None:
    found = list_backups(store.path)
    with st.expander(f"Backups ({len(found)})", icon=":material/backup:"):
        if not found:
            st.caption(
                "No backups yet. A backup can be made while the gallery is in use. It is verified and stored "
                "next to it."
            )
        if st.button("Back up now", icon=":material/save:", key="gallery_backup"):
            with feedback() as attempt, st.spinner("Copying and verifying"):
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
            column_config={"Made (UTC)": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC")},
        )
        usable = [each for each in found if not each.problem]
        if usable:
            _restore(store, usable)
        st.caption(
            "Backups are on the same disk, so copy them elsewhere too. They contain the same data as the gallery."
        )


def _row(backup: Backup) -> dict[str, object]:
    return {
        "Made (UTC)": backup.made_at,
        "People": backup.people,
        "Templates": backup.templates,
        "Encrypted": "yes" if backup.protection.encrypted else "no",
        "MB": round(backup.size_bytes / 1e6, 1),
        "File": backup.path.name,
        "Problem": backup.problem,
    }


def _restore(store: Gallery, usable: list[Backup]) -> None:
    with st.form("gallery_restore", border=False):
        chosen = st.selectbox(
            "Backup",
            range(len(usable)),
            format_func=lambda at: (
                f"{usable[at].made_at:%-d %B %Y, %H:%M} UTC: {count(usable[at].people, 'person', 'people')}"
            ),
            key=f"gallery_restore_which_{len(usable)}",
        )
        sure = st.checkbox("Replace the gallery (the current one is backed up first)", key="gallery_restore_sure")
        asked = st.form_submit_button("Restore", icon=":material/settings_backup_restore:")
    if not asked:
        return
    if not sure:
        st.info(
            "Tick the box first to confirm that the gallery is replaced.", icon=":material/check_box_outline_blank:"
        )
        return
    with feedback() as attempt, st.spinner("Verifying and restoring the backup"):
        done = restore(store, usable[chosen].path, actor="dashboard")
    if attempt.ok:
        forget_faces()
        st.session_state.pop("gallery_open", None)
        say_on_gallery(done.text)
        st.rerun()


def _encryption_and_retention(store: Gallery) -> None:
    with st.expander("Encryption and retention of pictures", icon=":material/lock_clock:"):
        with feedback():
            state = protection_of(store)
            if state.encrypted:
                st.success(
                    plain(
                        f"Encrypted on disk (key {state.fingerprint}): names, notes, embeddings and pictures. "
                        "Exports aren't encrypted."
                    ),
                    icon=":material/lock:",
                )
            elif is_server(store.path):
                st.info(
                    "Not encrypted by EdgeFace Studio: who can read the database can read the gallery. Have the "
                    "server's disk encrypted; connections to another machine are.",
                    icon=":material/lock_open:",
                )
            else:
                st.info(
                    "Not encrypted: anyone who can read this machine's files can read the gallery. Create a key with "
                    "`edgeface-studio gallery make-key FILE`, then encrypt with `edgeface-studio gallery encrypt "
                    "FILE`.",
                    icon=":material/lock_open:",
                )
            _retention(store)
        link("help", "Keys, backups and erasing", icon=":material/help:", topic="encryption")


def _retention(store: Gallery) -> None:
    times = read_retention(settings())
    with st.form("gallery_retention", border=False):
        days = st.number_input(
            "Delete pictures of faces after this many days (0 keeps them)",
            min_value=0,
            max_value=36_500,
            value=times.crops_days or 0,
            step=30,
            key="gallery_crops_days",
        )
        st.caption(
            "People can still be recognised from their embeddings, but can't be re-embedded for other weights "
            "without pictures."
        )
        if not st.form_submit_button("Save", icon=":material/save:"):
            return
    write_retention(settings(), replace(times, crops_days=int(days) or None))
    removed = sum(one.count for one in purge(settings(), store))
    forget_faces()
    say_on_gallery("Saved." if not removed else f"Saved. {count(removed, 'older picture')} deleted.")
    st.rerun()
