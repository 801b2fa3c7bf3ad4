"""The page About."""

from __future__ import annotations

import importlib.metadata
import json
import time

import pytest

from studio import installation
from studio.installation import begin_device_probe, versions, weights_card
from studio.uploads import upload_folder
from visiongen.errors import VisionGenError

PAGE = "app_pages/about.py"


def test_it_names_versions_weights_and_rules(studio):
    page = studio(PAGE)
    assert not page.exception and not page.error
    shown = dict(page.table[0].value.itertuples())
    assert shown["torch"] == importlib.metadata.version("torch") and shown["visiongen"]
    text = " ".join(one.value for one in page.markdown)
    assert weights_card()["sha256"][:16] in text
    for word in ("owners have agreed", "confirm that you may use the face", "sent nowhere", "marked as synthetic"):
        assert word in " ".join(text.split())


def test_the_quality_of_the_weights_is_a_table_of_numbers(studio):
    page, card = studio(PAGE), weights_card()["scores"]
    table = page.table[1].value
    assert set(table.index) == set(card) and len(table.columns) >= 5
    numbers = table.astype(float)
    assert not numbers.isna().any().any()
    ssim = next(name for name in table.columns if name.startswith("SSIM"))
    assert numbers.loc["vae-gan", ssim] == pytest.approx(card["vae-gan"]["ssim"]["mean"], abs=0.0006)
    assert numbers.loc["vae-gan", ssim] > numbers.loc["copy", ssim]


def test_the_device_is_found_without_loading_a_network_here(studio):
    probe = begin_device_probe()
    facts = probe.result(120)
    assert facts["device"] in ("cpu", "cuda") and facts["threads"] >= 1
    json.dumps(facts)
    page = studio(PAGE)
    until = time.monotonic() + 60
    while not page.metric and time.monotonic() < until:
        time.sleep(0.3)
        page.run()
    assert page.metric[0].value == ("CPU" if facts["device"] == "cpu" else facts["gpu"])


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(installation, "LIBRARIES", ("torch", "no-such-library"))
    assert versions.__wrapped__()["no-such-library"] == "not installed"


def test_a_look_that_fails_is_one_sentence(monkeypatch):
    monkeypatch.setattr(installation, "_PROBE", "raise SystemExit('no torch here')")
    with pytest.raises(VisionGenError, match=r"no torch here.*visiongen doctor"):
        installation.probe_device()


def test_uploads_can_be_forgotten(studio, store):
    page = studio(PAGE)
    folder = upload_folder(store, page.session_state["session"])
    folder.mkdir(parents=True)
    (folder / "picture.png").write_bytes(b"x")
    next(one for one in page.button if one.label == "Forget my uploads").click().run()
    assert not folder.exists() and "removed" in page.success[0].value
