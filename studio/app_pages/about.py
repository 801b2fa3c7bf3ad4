"""About: what this studio runs on, what the weights were made of, and how to use it responsibly."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import pandas as pd
import streamlit as st

from studio.data_view import delete_all, delete_mine, kept_note
from studio.installation import begin_device_probe, doctor, versions, weights_card
from studio.measurements import heading, score_of
from studio.session import explain, get_store
from studio.uploads import forget_session
from visiongen.errors import VisionGenError

_MARKS = {"fine": ":green-badge[fine]", "odd": ":orange-badge[note]", "broken": ":red-badge[broken]"}
_SCORES = ("ssim", "akd", "ksr", "psnr", "l1", "sharpness", "jitter_ratio")
_RESPONSIBLE = """
- Move only faces whose owners have agreed, or that are nobody's: statues, drawings, made-up people.
- Do not make people say or do what they did not. Do not deceive, harass or defame anybody with results.
- Follow the laws where you are on likeness and on marking synthetic media. In the EU, Article 50 of the AI Act applies.
- Every result is marked as synthetic: visibly by an "AI" in a corner, invisibly in the picture, and by signed Content
  Credentials with the settings and the checksums of the inputs. Leave the marks in, and say beside a published film that it is
  one. The page Verify reads them.
"""
_CONSENT = """
Before a render of your own media the page Animate asks you to confirm that you may use the face and the clip; what you
confirm is kept in the signed statement of the result. Nobody else
can know that for you: ask the person in the picture, tell them what you will make and where it will be seen, and delete it
when they ask.
"""
_PRIVACY = """
Everything happens on this machine. Pictures, clips, camera images and ratings are sent nowhere, nothing is downloaded
when the studio runs, and no usage is counted. The studio answers only to browsers on this machine, unless whoever
started it chose another address; everybody who can open it sees all runs. Uploads that no run needs are removed after a
day. What you made can be deleted below, for good.
"""


@st.cache_resource(show_spinner=False)
def _probe() -> Future:
    return begin_device_probe()


def _device() -> None:
    """The device of renders; the first look takes a few seconds, in a process of its own."""
    probe = _probe()

    @st.fragment(run_every=None if probe.done() else 0.5)
    def show() -> None:
        if not probe.done():
            st.caption("Looking for the device …")
            return
        try:
            facts: dict[str, Any] = probe.result()
        except VisionGenError as error:
            st.error(str(error))
            return
        name, detail = st.columns(2)
        name.metric("Device", facts["gpu"] if facts["device"] == "cuda" else "CPU")
        if facts["device"] == "cuda":
            detail.metric("GPU memory", f"{facts['memory_gb']} GB")
        else:
            detail.metric("CPU", f"{facts['threads']} threads, {facts['cpu']}")

    show()


def installation() -> None:
    """Device, versions, and a check."""
    _device()
    st.table(pd.DataFrame(versions().items(), columns=["library", "version"]).set_index("library"))
    if st.button("Check this installation", help="Runs `visiongen doctor`: versions, device, weights, encoders, plugins, and a "
                                                 "small render. Takes some seconds."):  # fmt: skip
        with st.spinner("Checking …"):
            try:
                st.session_state["about.findings"] = doctor()
            except VisionGenError as error:
                st.session_state["about.findings"] = [{"name": "doctor", "state": "broken", "text": str(error)}]
    for finding in st.session_state.get("about.findings", []):
        with st.container(border=True):
            st.markdown(f"{_MARKS[finding['state']]} **{finding['name']}**")
            st.write(finding["text"])


def weights() -> None:
    """The model card of the shipped weights."""
    try:
        card = weights_card()
    except VisionGenError as error:
        st.error(str(error))
        return
    st.markdown(f"**{card.get('name', 'Weights')}** · {card['size_mb']} MB · sha256 `{card['sha256'][:16]}…`")
    st.write(card.get("intended_use", ""))
    st.markdown("**Trained on**")
    origin = {**card.get("data", {}), "hardware": card.get("hardware", "unknown")}
    st.markdown("\n".join(f"- {name}: {text}" for name, text in origin.items()))
    quality(card.get("scores", {}))
    if failures := card.get("known_failures"):
        st.markdown("**What it cannot do well**")
        st.markdown("\n".join(f"- {one}" for one in failures))
    whole = st.expander("The whole model card", key="about.card", on_change="rerun")
    if whole.open:
        whole.json(card, expanded=1)  # unfolded, its hundreds of lines keep the browser busy


def quality(scores: Mapping[str, Any]) -> None:
    """The table of a model card: a row for each method, a column for each score."""
    means = {method: _means(values) for method, values in scores.items() if isinstance(values, dict)}
    names = [name for name in _SCORES if any(name in values for values in means.values())]
    if not names:
        return
    st.markdown("**How good it is**")
    rows = {
        method: {heading(n): f"{values[n]:.{score_of(n).digits}f}" if n in values else "" for n in names}
        for method, values in means.items()
    }
    st.table(pd.DataFrame(rows).T)
    films = {int(one["n"]) for values in scores.values() if isinstance(values, dict) for one in values.values()
             if isinstance(one, dict) and "n" in one}  # fmt: skip
    counted = f"Means over {max(films)} films of self-reenactment; " if films else ""
    st.caption(
        f"{counted}copy is the portrait standing still, ceiling the real clip, encoded like the results. Intervals are in "
        "the model card."
    )


def _means(values: Mapping[str, Any]) -> dict[str, float]:
    """Score -> its mean: cards hold the mean alone, or with its interval."""
    found = {name.lower(): one.get("mean") if isinstance(one, dict) else one for name, one in values.items()}
    return {name: float(one) for name, one in found.items() if isinstance(one, int | float)}


def storage() -> None:
    """Where things are kept, and ways to delete them."""
    from studio.session import session_id

    store = get_store()
    st.markdown(kept_note())
    with st.container(horizontal=True):
        forget = st.button("Forget my uploads", help="Removes your pictures and clips that no run needs.")
        delete_mine()
        delete_all()
    if forget:
        try:
            forget_session(store, session_id())
            st.success("Uploads that no run needs are removed. Runs are deleted in the Gallery.")
        except OSError as error:
            st.error(explain(error))


st.title("About", anchor=False)
st.write("VisionGen 3D brings one picture of a face to life with a short driving video. MIT licence.")
left, right = st.columns(2, gap="large")
with left:
    st.subheader("Responsible use", anchor=False)
    st.markdown(_RESPONSIBLE)
    st.subheader("Consent", anchor=False)
    st.markdown(_CONSENT)
    st.subheader("Privacy", anchor=False)
    st.markdown(_PRIVACY)
    storage()
with right:
    st.subheader("This installation", anchor=False)
    installation()
st.subheader("Weights of the default generator", anchor=False)
weights()
