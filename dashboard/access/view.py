"""The Access page: accounts, roles and the audit trail. For admins, and for the owner of a dashboard without
sign-in."""

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
from dashboard.ui.components import head, show_message
from dashboard.ui.markdown import plain

ROLE_WORDS = {
    Role.VIEWER: "Viewer: recognises people and views pages",
    Role.OPERATOR: "Operator: also enrols, deletes, exports and trains",
    Role.ADMIN: "Admin: everything",
}
TRAIL_ROWS = 500


def view() -> None:
    """The page."""
    head("Access", "Manage who may use this dashboard, and see what was done.")
    if refused(Permission.ACCESS):
        return
    show_message("access_said")
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
                "**Sign-in is off.** The dashboard is reachable only from this machine, and everyone who uses it "
                "has full "
                "access. Add an admin to require sign-in.",
                icon=":material/lock_open:",
            )
        _add(first=not users)
    link("help", "Roles and passwords, and what they don't protect", icon=":material/help:", topic="access")
    st.subheader("Audit trail", anchor=False)
    with feedback():
        _trail()


def _people(users: list[User]) -> None:
    me = current().name
    table = pd.DataFrame(
        [{"name": f"{user.name}{' (you)' if user.name == me else ''}", "role": str(user.role)} for user in users]
    )
    st.dataframe(table, hide_index=True, width="stretch", height=38 + 35 * min(10, len(users)))
    with st.expander("Change or remove an account", icon=":material/manage_accounts:"):
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
            if st.form_submit_button("Save role"):
                with feedback() as attempt:
                    change_role(settings(), name, role or user.role)
                _after(attempt.ok, f"{name} now has the role {role}, and has to sign in again.")
        with st.form("access_password", border=False, clear_on_submit=True):
            password = st.text_input(
                "New password", type="password", key="access_new_password", autocomplete="new-password", max_chars=300
            )
            if st.form_submit_button("Save password"):
                with feedback() as attempt:
                    change_password(settings(), name, password)
                _after(attempt.ok, f"{name} has a new password, and has to sign in again.")
        with st.popover("Remove", icon=":material/person_remove:"):
            last = " Sign-in is then off." if len(users) == 1 else ""
            st.markdown(f"{plain(name)} is signed out at once and can't sign in again.{last}")
            if st.button("Remove account", key="access_remove"):
                with feedback() as attempt:
                    remove_user(settings(), name)
                _after(attempt.ok, f"{name} was removed.")


def _add(*, first: bool) -> None:
    label = "Add the first admin" if first else "Add an account"
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
            _after(attempt.ok, f"{name} can sign in with the role {role}.", forget=("access_name", "access_password"))


def _after(ok: bool, said: str, forget: tuple[str, ...] = ()) -> None:
    if ok:
        for key in forget:
            st.session_state.pop(key, None)
        st.session_state["access_said"] = said
        st.rerun()


def _by_provider() -> None:
    st.subheader("People who may sign in", anchor=False)
    st.info(
        "People sign in with your organisation's provider. Their roles are in the secrets file, under [access]: the "
        "lists admins, operators and viewers of e-mail addresses.",
        icon=":material/badge:",
    )


def _trail() -> None:
    entries = combined_trail(read_trail(settings(), TRAIL_ROWS), gallery().audit(TRAIL_ROWS), TRAIL_ROWS)
    if not entries:
        st.caption("No entries yet")
        return
    table = trail_table(entries)
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(table)),
        column_config={
            "when (UTC)": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC", width=135),
            "who": st.column_config.TextColumn(width=70),
            "what": st.column_config.TextColumn(width=155),
            "to what": st.column_config.TextColumn(width="large"),
        },
    )
    st.caption(
        f"{count(len(table), 'entry', 'entries')}, the latest first. Enrolled people appear by number, so that a "
        f"deleted name "
        "stays deleted. This program never changes or removes entries."
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
    """The audit trail as a table: when (UTC), who, what, to what."""
    rows = [
        {"when (UTC)": entry.at, "who": entry.actor, "what": entry.event, "to what": entry.subject} for entry in entries
    ]
    return pd.DataFrame(rows)
