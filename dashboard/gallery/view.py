"""The Gallery page: the enrolled people as cards, and the page of one person."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.gallery.records import Identity, StoredTemplate, one_per_photograph
from core.gallery.store import Gallery
from core.models.encoders import WeightsFile
from core.settings import load_settings
from core.system.server_address import is_server
from core.system.text import count
from dashboard.gallery.edits import merge_panel, photograph_panel, rename_panel, report_last_change
from dashboard.gallery.erase import erase_button, erase_report, stop_asking
from dashboard.gallery.maintenance import maintenance_section
from dashboard.gallery.transfer import audit_trail, export_panel, import_panel
from dashboard.runs.reembed import reembed_offer
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import go, link, step_button
from dashboard.shell.readiness import covers, readiness, weights_in_use
from dashboard.shell.resources import gallery, space_in_use
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state, head, name_line
from dashboard.ui.markdown import markup, plain, shorten
from dashboard.ui.pictures import Picture, faces, faces_html, image_address

PER_PAGE = 24


def view() -> None:
    """Show the Gallery page."""
    place = "on a database server" if is_server(load_settings().gallery_path) else "a file on this machine"
    head("Gallery", f"The people who can be recognised. The gallery is {place} and contains biometric data.")
    store = gallery()
    report_last_change(store)
    erase_report()
    weights, _ = weights_in_use()
    opened = st.session_state.get("gallery_open")
    if opened is not None:
        with feedback() as attempt:
            _person(store, opened, weights)
        if not attempt.ok:
            _back()
        return
    people = store.identities(space=space_in_use(weights) if weights else None)
    if people:
        _people(store, people, weights)
    else:
        _empty(weights)
    if allowed(Permission.EXPORT):
        st.subheader("Export and import" if people else "Import a gallery", anchor=False)
        if people:
            export_panel(store)
        import_panel(store, weights)
    else:
        not_yours("Enrolling, changing, deleting, exporting and importing people")
    if allowed(Permission.MAINTAIN):
        maintenance_section(store)
    if allowed(Permission.ACCESS):
        audit_trail(store)


def _empty(weights: WeightsFile | None) -> None:
    text = "Enrol a person from a few photographs, or import a gallery from another machine below."
    if not allowed(Permission.ENROL):
        empty_state("groups", "Nobody is enrolled yet", "Enrolling people needs the role operator.")
        return
    box = empty_state("groups", "Nobody is enrolled yet", text)
    step, label = ("enroll", "Enrol a person") if weights is not None else ("home", "Get the weights on Home")
    with box:
        step_button(step, label, key="gallery_start")


def _people(store: Gallery, people: list[Identity], weights: WeightsFile | None) -> None:
    photographs = sum(person.photographs for person in people)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Find by name", key="gallery_search", placeholder="Part of a name", icon=":material/search:", width=320
        )
        if allowed(Permission.ENROL) and st.button(
            "Enrol a person", type="primary", icon=":material/person_add:", key="gallery_enrol"
        ):
            go("enroll")
    st.caption(f"{count(len(people), 'person', 'people')}, {count(photographs, 'photograph')}.")
    link("diagnostics", "Find wrong photographs and duplicate people", icon=":material/rule:", show="gallery")
    _other_weights(people, weights)
    found = {person.id for person in store.identities(search)} if search.strip() else None
    shown = [person for person in people if found is None or person.id in found]
    if not shown:
        st.info(f"No name contains “{plain(shorten(search))}”.", icon=":material/search_off:")
        return
    pictures = covers(store)
    here = _one_page(shown)
    with st.container(horizontal=True, gap="small", key="gallery_grid"):
        for person in here:
            _card(person, pictures.get(person.id), weights)


def _other_weights(people: list[Identity], weights: WeightsFile | None) -> None:
    others = sum(person.in_space == 0 for person in people)
    if weights is not None and others:
        st.warning(
            f"{count(others, 'person', 'people')} enrolled with other weights can't be searched. "
            "Re-embed them below, or switch back to the earlier weights on Home.",
            icon=":material/sync_problem:",
        )
    offered = reembed_offer(readiness(), key="gallery")
    if others and not offered:
        link("help", "Why templates of other weights aren't searched", icon=":material/help:", topic="other-weights")


def _one_page(people: list[Identity]) -> list[Identity]:
    pages = -(-len(people) // PER_PAGE)
    if pages <= 1:
        return people
    number = st.selectbox(
        "Page",
        range(pages),
        format_func=lambda each: f"{each + 1} of {pages}: from {shorten(people[each * PER_PAGE].name, 18)}",
        key=f"gallery_page_{pages}",
        width=320,
    )
    return people[number * PER_PAGE : (number + 1) * PER_PAGE]


def _card(person: Identity, picture: str | None, weights: WeightsFile | None) -> None:
    with st.container(border=True, width=164, gap="small"):
        if picture is None:
            face = "<div class='ef-noface'>no picture stored</div>"
        else:
            face = faces_html([Picture(picture, alt=f"Face of {person.name}")], 400).replace(
                "class='ef-faces'", "class='ef-faces ef-one'"
            )
        other = weights is not None and person.in_space == 0
        below = "enrolled with other weights; not searched" if other else count(person.photographs, "photograph")
        st.html(
            f"{face}<div class='ef-name' style='font-size:.95rem'>{markup(shorten(person.name, 60))}</div>"
            f"<div class='ef-quiet'>{markup(below)}</div>"
        )
        # Set in a callback: a click sent while a search reruns the page would be lost to `if st.button(...)`.
        st.button("Open", key=f"gallery_open_{person.id}", width="stretch", on_click=_open, args=(person.id,))


def _open(number: int) -> None:
    st.session_state["gallery_open"] = number


def _person(store: Gallery, number: int, weights: WeightsFile | None) -> None:
    """One person: faces, facts and actions. Raises IdentityNotFound where they were removed in the meantime."""
    space = space_in_use(weights) if weights else None
    person = store.identity(number, space=space)
    templates = store.templates(number)
    _back()
    name_line(person.name, _facts(person))
    if weights is not None and person.in_space == 0:
        st.warning("Enrolled with other weights, so this person can't be searched.", icon=":material/sync_problem:")
    if person.note:
        st.html(f"<div class='ef-quiet'>{markup(person.note)}</div>")
    pictures = [
        Picture(image_address(t.crop), _template_facts(t, templates), f"Face of {person.name}")
        for t in one_per_photograph(templates)
        if t.crop
    ]
    if pictures:
        faces(pictures, 112)
    else:
        st.caption("No pictures are stored, only the embeddings needed for recognition.")
    if not allowed(Permission.ENROL):
        not_yours("Changing or deleting people")
        return
    with st.container(horizontal=True):
        if st.button("Add photographs", type="primary", icon=":material/add_a_photo:", key="gallery_add"):
            st.session_state["enroll_add_to"] = person.name
            st.session_state.pop("enroll_done", None)
            go("enroll")
        if allowed(Permission.DELETE):
            erase_button(person, _facts(person))
    rename_panel(store, person)
    merge_panel(store, person)
    if allowed(Permission.DELETE):
        photograph_panel(store, templates)


def _facts(person: Identity) -> str:
    return f"{count(person.photographs, 'photograph')}, enrolled on {person.enrolled_at:%-d %B %Y}"


def _template_facts(template: StoredTemplate, all_of_them: Sequence[StoredTemplate]) -> str:
    hashed = [each for each in all_of_them if each.image_sha256 and each.image_sha256 == template.image_sha256]
    smaller = sorted({each.size_px for each in hashed if each.size_px and each.probe_px < template.probe_px})
    also = f"; also at {', '.join(map(str, reversed(smaller)))} px" if smaller else ""
    measured = "" if template.recognisability is None else f"recognisability {template.recognisability:.2f}, "
    return f"{template.probe_px:.0f} px{also}, {measured}{template.space.encoder_name}"


def _back() -> None:
    st.button("All people", icon=":material/arrow_back:", type="tertiary", key="gallery_back", on_click=_close)


def _close() -> None:
    st.session_state.pop("gallery_open", None)
    stop_asking()
