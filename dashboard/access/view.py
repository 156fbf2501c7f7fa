"""Access: who may sign in and as what, and the trail of what was done. For admins, and for the owner of a dashboard
that asks nobody."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.access.roles import Permission, Role
from core.access.trail import TrailEntry, combined_trail, read_trail
from core.access.users import User, add_user, change_password, change_role, read_users, remove_user
from core.csv_export import csv_bytes
from core.system.text import count
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import gallery, settings
from dashboard.shell.session import current, sign_in_method
from dashboard.shell.sign_in import refused
from dashboard.ui.components import head
from dashboard.ui.markdown import plain

ROLE_WORDS = {
    Role.VIEWER: "Viewer: recognises people and looks",
    Role.OPERATOR: "Operator: also enrols, deletes, exports, trains",
    Role.ADMIN: "Admin: everything",
}
TRAIL_ROWS = 500


def view() -> None:
    """The page."""
    head("Access", "Who may use this dashboard, and what was done with it.")
    if refused(Permission.ACCESS):
        return
    said = st.session_state.pop("access_said", "")
    if said:
        st.success(plain(said), icon=":material/check_circle:")
    how = sign_in_method()
    if how == "oidc":
        _by_provider()
    else:
        users = read_users(settings())
        st.subheader("People who may sign in", anchor=False)
        if users:
            _people(users)
        else:
            st.info(
                "**Nobody is asked to sign in.** The dashboard answers on this machine only, and everybody who uses it "
                "may do everything. Add an admin, and from then on everybody signs in.",
                icon=":material/lock_open:",
            )
        _add(first=not users)
    link("help", "Roles, passwords, and what they don't protect", icon=":material/help:", topic="access")
    st.subheader("What was done", anchor=False)
    with feedback():
        _trail()


def _people(users: list[User]) -> None:
    me = current().name
    table = pd.DataFrame(
        [{"name": f"{user.name}{' (you)' if user.name == me else ''}", "role": str(user.role)} for user in users]
    )
    st.dataframe(table, hide_index=True, width="stretch", height=38 + 35 * min(10, len(users)))
    with st.expander("Change or remove somebody", icon=":material/manage_accounts:"):
        name = st.selectbox("Who", [user.name for user in users], key="access_who")
        user = next(each for each in users if each.name == name)
        with st.form("access_role", border=False):
            role = st.radio(
                "Role",
                list(Role),
                index=list(Role).index(user.role),
                format_func=ROLE_WORDS.__getitem__,
                key=f"access_role_{user.stamp}",
            )
            if st.form_submit_button("Save the role"):
                with feedback() as attempt:
                    change_role(settings(), name, role or user.role)
                _after(attempt.ok, f"{name} is {role} now, and signs in again.")
        with st.form("access_password", border=False, clear_on_submit=True):
            password = st.text_input(
                "New password", type="password", key="access_new_password", autocomplete="new-password", max_chars=300
            )
            if st.form_submit_button("Save the password"):
                with feedback() as attempt:
                    change_password(settings(), name, password)
                _after(attempt.ok, f"{name} has a new password, and signs in again.")
        with st.popover("Remove", icon=":material/person_remove:"):
            last = " Nobody is asked to sign in then." if len(users) == 1 else ""
            st.markdown(f"{plain(name)} can't sign in any more, at once.{last}")
            if st.button("Remove for good", key="access_remove"):
                with feedback() as attempt:
                    remove_user(settings(), name)
                _after(attempt.ok, f"{name} can't sign in any more.")


def _add(*, first: bool) -> None:
    label = "Add the first admin" if first else "Add somebody"
    with st.expander(label, icon=":material/person_add:"), st.form("access_add", border=False):
        name = st.text_input("Name to sign in with", key="access_name", max_chars=80, autocomplete="off")
        password = st.text_input(
            "Password (at least 12 characters)",
            type="password",
            key="access_password",
            max_chars=300,
            autocomplete="new-password",
        )
        roles = [Role.ADMIN] if first else list(Role)
        role = st.radio("Role", roles, format_func=ROLE_WORDS.__getitem__, key=f"access_add_role_{first}")
        if st.form_submit_button("Add", type="primary", icon=":material/person_add:"):
            with feedback() as attempt:
                added = add_user(settings(), name, password, role)
                name = added.name
            _after(attempt.ok, f"{name} may sign in as {role}.", forget=("access_name", "access_password"))


def _after(ok: bool, said: str, forget: tuple[str, ...] = ()) -> None:
    if ok:
        for key in forget:
            st.session_state.pop(key, None)
        st.session_state["access_said"] = said
        st.rerun()


def _by_provider() -> None:
    st.subheader("People who may sign in", anchor=False)
    st.info(
        "Your organisation's provider signs people in. Their roles stand in the secrets file, under [access]: the "
        "lists admins, operators and viewers of e-mail addresses.",
        icon=":material/badge:",
    )


def _trail() -> None:
    entries = combined_trail(read_trail(settings(), TRAIL_ROWS), gallery().audit(TRAIL_ROWS), TRAIL_ROWS)
    if not entries:
        st.caption("Nothing yet.")
        return
    table = trail_table(entries)
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(table)),
        column_config={
            "when (UTC)": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC", width=150),
            "who": st.column_config.TextColumn(width="small"),
            "what": st.column_config.TextColumn(width="large"),
            "to what": st.column_config.TextColumn(width="small"),
        },
    )
    st.caption(
        f"{count(len(table), 'line')}, the latest first. People enrolled appear by number, so that a deleted name "
        "stays deleted. Lines are never changed or removed by this program."
    )
    offer_download(
        "As CSV",
        lambda: csv_bytes(table),
        "audit.csv",
        "text/csv",
        key="access_trail_csv",
        what="audit trail",
    )


def trail_table(entries: list[TrailEntry]) -> pd.DataFrame:
    """The trail as it is shown: when (UTC), who, what, to what."""
    rows = [
        {"when (UTC)": entry.at, "who": entry.actor, "what": entry.event, "to what": entry.subject} for entry in entries
    ]
    return pd.DataFrame(rows)
