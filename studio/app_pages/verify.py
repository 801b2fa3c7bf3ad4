"""Verify: was this file made by VisionGen 3D, with what, and is it unchanged?"""

from __future__ import annotations

import hashlib

import streamlit as st

from studio.empty_page import Example, empty_page
from studio.session import get_queue, get_store, session_id
from studio.verifying import ENDINGS, verify_upload
from visiongen.errors import VisionGenError

_RUN = "verify.run"  # key in the session's state: a run whose film is looked at


def verdict() -> None:
    """The answer on the file that was uploaded."""
    file = st.file_uploader(
        "Film or picture", type=[ending.lstrip(".") for ending in ENDINGS], key="verify_file",
        help="It is looked at on this machine and removed again. The invisible mark is also found in copies: smaller, "
             "cropped, or written by another tool.",
    )  # fmt: skip
    data, name = (file.getvalue(), file.name) if file is not None else example()
    if not data:
        return
    key = hashlib.sha256(data).hexdigest() + name
    if st.session_state.get("verify_key") != key:
        with st.spinner("Looking for marks …"):
            try:
                found = verify_upload(data, name, store=get_store(), session=session_id(), ask=get_queue().ask)
            except VisionGenError as error:
                st.error(str(error))
                return
        st.session_state["verify_key"], st.session_state["verify_answer"] = key, found
    show(st.session_state["verify_answer"])


def example() -> tuple[bytes, str]:
    """A film of this studio and its name, where the user asks for one; no bytes: not yet."""
    offer = Example(label="Look at an example", jobs="verify.example")
    chosen = st.session_state.get(_RUN) or next(iter(offer.finished()), None)
    run = get_store().find(chosen) if chosen else None
    if run is not None and (film := run.file("result.mp4")):
        st.markdown(f"What is found in **{run.title}**, a film that was made here:")
        return film.read_bytes(), "example.mp4"
    newest = next((one for one in get_store().runs(session_id(), states=("done",)) if one.file("result.mp4")), None)

    def own() -> None:
        if newest is not None:
            st.button("Look at my newest result", on_click=st.session_state.update, args=({_RUN: newest.id},))

    empty_page("verified", "Give a film or a picture above",
               "It is looked at on this machine, in a few seconds, and removed again. What is found is told sign by sign, "
               "with the settings that the film was made with.", example=offer, more=own)  # fmt: skip
    return b"", ""


def show(answer: dict) -> None:
    """The answer first, then sign by sign, then everything."""
    first, *others = answer["sentences"]
    if answer["generated"]:
        st.success(first, icon=":material/smart_toy:")
    else:
        st.warning(first, icon=":material/help:")
    for sentence in others:
        title, _, text = sentence.partition(": ")
        with st.container(border=True):
            st.markdown(f"**{title}**")
            st.text(text[:1].upper() + text[1:])
    settings = ((answer["findings"].get("credentials") or {}).get("settings") or {}) or answer["findings"].get(
        "metadata"
    )
    if settings:
        with st.expander("The settings it was made with"):
            st.json(settings)
    with st.expander("Everything that was found"):
        st.json(answer["findings"], expanded=False)


st.title("Verify", anchor=False)
st.write("Was this film made by VisionGen 3D? Three signs tell: signed Content Credentials, an invisible mark in the "
         "picture, and plain metadata.")  # fmt: skip
verdict()
st.caption(
    "No sign is no proof that a camera took a film: marks of other tools are not known here, and marks can be removed."
)
