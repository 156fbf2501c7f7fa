"""The gallery health section: findings with the faces concerned and a remedy for each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.diagnostics.gallery_troubles import Code, GalleryHealth, Photo, Trouble, remove_photograph
from core.gallery.dismissed_findings import Dismissal, dismiss, undo_dismissal
from core.gallery.identity_merge import merge_identities
from core.settings import UNCALIBRATED_THRESHOLD
from dashboard.diagnostics.data import crop_address, health_of, health_space, nobody_enrolled
from dashboard.diagnostics.map_points import BLANK, strip
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import go, link
from dashboard.shell.readiness import weights_in_use
from dashboard.shell.resources import gallery
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.handoff import say_on_gallery
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.pictures import Picture

MOST_SHOWN = 10
_MOST_FACES = 7

_TITLES: dict[Code, tuple[str, str]] = {
    "two_names": ("Possibly one person under two names", ":material/group_remove:"),
    "unlike_own": ("Photographs unlike the others of the person", ":material/group_off:"),
    "unlike_groups": ("Photographs that don't resemble one another", ":material/group_off:"),
    "looks_like_other": ("Photographs that would be identified as another person", ":material/swap_horiz:"),
    "same_photograph": ("The same photograph twice", ":material/filter_none:"),
    "alike": ("Photographs too similar", ":material/burst_mode:"),
    "few": ("Too few photographs", ":material/photo_library:"),
}


def gallery_panel() -> None:
    """Show the gallery health section."""
    space = health_space()
    if space is None:
        nobody_enrolled(
            "health_and_safety",
            "Once people are enrolled, this page finds photographs under a wrong name and people under two names.",
        )
        return
    weights, _ = weights_in_use()
    if weights is not None and weights.sha256 != space.weights_sha256:
        st.warning(
            f"Nobody is enrolled with the weights in use. The templates of {plain(space.encoder_name)} are shown.",
            icon=":material/sync_problem:",
        )
    health = health_of(space, UNCALIBRATED_THRESHOLD)
    _verdict(health)
    if health.troubles and not allowed(Permission.ENROL):
        not_yours("Resolving findings")
    for code, (title, icon) in _TITLES.items():
        found = [each for each in health.troubles if each.code == code]
        if found:
            _group(code, title, icon, found)
    if health.left:
        _left(health.left)
    how = "calibrated for this gallery" if health.calibrated else "uncalibrated"
    st.caption(
        f"Templates of {plain(space.encoder_name)} ({space.weights_sha256[:10]}); threshold {health.threshold:.2f} at "
        f"full size, {how}."
    )
    link("help", "How the gallery is examined", icon=":material/help:", topic="gallery-health")


def _verdict(health: GalleryHealth) -> None:
    text = plain(health.line)
    if health.serious:
        st.error(f"**Some people may be misidentified.** {text}", icon=":material/dangerous:")
    elif health.troubles:
        st.info(text, icon=":material/info:")
    else:
        st.success(text, icon=":material/verified:")


def _group(code: Code, title: str, icon: str, found: Sequence[Trouble]) -> None:
    serious = any(each.serious for each in found)
    box = st.expander(f"{title} ({len(found):,})", icon=icon, expanded=serious, key=f"diagnostics_group_{code}")
    with box:
        for each in found[:MOST_SHOWN]:
            _trouble(each)
        if len(found) > MOST_SHOWN:
            st.caption(
                f"{len(found) - MOST_SHOWN:,} more, shown as these are resolved. List all of them with "
                "`edgeface-studio diagnose gallery`."
            )


def _trouble(trouble: Trouble) -> None:
    key = _key(trouble)
    with st.container(border=True, key=key):
        if trouble.serious:
            st.badge("Needs attention", icon=":material/priority_high:", color="red")
        st.markdown(plain(trouble.text))
        if trouble.code == "unlike_groups":
            _each_removable(trouble, key)
        else:
            _sides(trouble)
        with st.container(horizontal=True):
            for remedy in trouble.remedies:
                if remedy == "remove":
                    _remove(trouble.photos[0], key)
                elif remedy == "merge":
                    _merge(trouble, key)
                elif trouble.code != "unlike_groups":
                    _enrol(trouble, key)
            _leave(trouble, key)
            _open(trouble.person, trouble.name, key)
            if trouble.other is not None:
                _open(trouble.other, trouble.other_name, f"{key}_other")


def _sides(trouble: Trouble) -> None:
    """The photographs concerned on the left, those they are compared with on the right."""
    if not trouble.beside:
        strip([_face(photo) for photo in trouble.photos[:_MOST_FACES]])
        return
    left, right = st.columns([1, 2] if len(trouble.photos) == 1 else 2)
    with left:
        st.caption(plain(shorten(trouble.name)))
        strip([_face(photo) for photo in trouble.photos[:_MOST_FACES]])
    with right:
        beside = trouble.beside
        st.caption(plain(shorten(beside[0].name)) if beside[0].person != trouble.person else "The others")
        strip([_face(photo) for photo in beside[:_MOST_FACES]])


def _each_removable(trouble: Trouble, key: str) -> None:
    with st.container(horizontal=True, gap="small"):
        for place, photo in enumerate(trouble.photos[: 2 * _MOST_FACES]):
            with st.container(width=132, gap="small"):
                strip([_face(photo)])
                _remove(photo, f"{key}_{place}", label="Remove")


def _face(photo: Photo) -> Picture:
    address = next(filter(None, (crop_address(photo.person, number) for number in photo.templates)), None)
    return Picture(address or BLANK, "" if address else "no picture stored", f"Face of {photo.name}")


def _remove(photo: Photo, key: str, label: str = "Remove this photograph") -> None:
    if not allowed(Permission.DELETE):
        return
    with st.popover(label, icon=":material/delete:"):
        st.markdown(
            f"Erase this photograph of **{plain(shorten(photo.name))}** and its templates? This can't be undone."
        )
        if st.button("Erase the photograph", type="primary", icon=":material/delete_forever:", key=f"{key}_remove"):
            with feedback() as attempt:
                remove_photograph(gallery(), photo, actor="dashboard")
            if attempt.ok:
                _say(f"A photograph of {photo.name} was erased.")


def _merge(trouble: Trouble, key: str) -> None:
    other = trouble.other
    if other is None or not allowed(Permission.ENROL):
        return
    with st.popover("Merge them", icon=":material/merge:"):
        st.markdown(
            "One entry keeps the photographs of both. You can undo this on the Gallery page until the next change."
        )
        for keep, gone, name in (
            (trouble.person, other, trouble.name),
            (other, trouble.person, trouble.other_name),
        ):
            if st.button(
                f"Keep the name {plain(shorten(name, 30))}", icon=":material/merge:", key=f"{key}_keep_{keep}"
            ):
                with feedback() as attempt:
                    change = merge_identities(gallery(), gone, keep, actor="dashboard")
                if attempt.ok:
                    text = f"Merged into one entry: {name}."
                    say_on_gallery(text, change)
                    _say(text)


def _enrol(trouble: Trouble, key: str) -> None:
    if allowed(Permission.ENROL) and st.button("Add photographs", icon=":material/add_a_photo:", key=f"{key}_enrol"):
        st.session_state["enroll_add_to"] = trouble.name
        st.session_state.pop("enroll_done", None)
        go("enroll")


def _leave(trouble: Trouble, key: str) -> None:
    if allowed(Permission.ENROL) and st.button(
        "Dismiss",
        icon=":material/done:",
        key=f"{key}_leave",
        help="For findings that you have checked and that are correct. They return when the photographs change.",
    ):
        with feedback() as attempt:
            dismiss(gallery(), trouble.key, actor="dashboard")
        if attempt.ok:
            _say("Dismissed. Find it at the end of this page to list it again.")


def _left(left: Sequence[tuple[Trouble, Dismissal]]) -> None:
    """The dismissed findings, with user and time, and the way to list each again."""
    with st.expander(f"Dismissed findings ({len(left):,})", icon=":material/done_all:", key="diagnostics_left"):
        for trouble, mark in left[: 2 * MOST_SHOWN]:
            key = f"{_key(trouble)}_left"
            with st.container(border=True, key=key):
                st.markdown(plain(trouble.text))
                st.caption(plain(f"Dismissed by {mark.by}, {mark.at.astimezone():%-d %b %Y, %H:%M}"))
                if allowed(Permission.ENROL) and st.button("List again", icon=":material/undo:", key=f"{key}_back"):
                    with feedback() as attempt:
                        undo_dismissal(gallery(), trouble.key, actor="dashboard")
                    if attempt.ok:
                        _say("It is listed again.")
        if len(left) > 2 * MOST_SHOWN:
            st.caption(f"{len(left) - 2 * MOST_SHOWN:,} more. List all with `edgeface-studio diagnose gallery --json`.")


def _open(person: int, name: str, key: str) -> None:
    st.button(
        f"Open {plain(shorten(name, 24))}",
        icon=":material/person:",
        type="tertiary",
        key=f"{key}_open_{person}",
        on_click=_go_to_person,
        args=(person,),
    )


def _go_to_person(person: int) -> None:
    # Leaving the page isn't possible in a callback; `view` does it.
    st.session_state["gallery_open"] = person
    st.session_state["diagnostics_go"] = "gallery"


def _say(text: str) -> None:
    st.session_state["diagnostics_said"] = text
    st.rerun()


def _key(trouble: Trouble) -> str:
    photo = trouble.photos[0].templates[0] if trouble.photos else 0
    return f"diagnostics_{trouble.code}_{trouble.person}_{trouble.other or 0}_{photo}"
