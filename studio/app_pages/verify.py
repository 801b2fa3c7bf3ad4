"""Verify: was this file made by VisionGen 3D, with what, and is it unchanged?"""

from __future__ import annotations

import hashlib

import streamlit as st

from studio.session import get_queue, get_store, session_id
from studio.verifying import ENDINGS, verify_upload
from visiongen.errors import VisionGenError


def verdict() -> None:
    """The answer on the file that was uploaded."""
    file = st.file_uploader(
        "Film or picture", type=[ending.lstrip(".") for ending in ENDINGS], key="verify_file",
        help="It is looked at on this machine and removed again. The invisible mark is also found in copies: smaller, "
             "cropped, or written by another tool.",
    )  # fmt: skip
    if file is None:
        st.info("Give a film or a picture. Looking takes a few seconds.")
        return
    data = file.getvalue()
    key = hashlib.sha256(data).hexdigest() + file.name
    if st.session_state.get("verify_key") != key:
        with st.spinner("Looking for marks …"):
            try:
                found = verify_upload(data, file.name, store=get_store(), session=session_id(), ask=get_queue().ask)
            except VisionGenError as error:
                st.error(str(error))
                return
        st.session_state["verify_key"], st.session_state["verify_answer"] = key, found
    show(st.session_state["verify_answer"])


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
