"""Checkpoints of both kinds load; what cannot be used is refused with a reason."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import json
import pickle
import threading

import pytest
import torch
from visiongen_fomm import checkpoints, download
from visiongen_fomm.generator import FommGenerator, with_folded_norms
from visiongen_fomm.options import FommOptions

from visiongen import WeightsError


def test_old_pickles_with_training_state_and_prefixes_load(tiny, tmp_path):
    """As `vox-cpk.pth.tar`: not a zip, with discriminator, optimisers and epoch; names as parallel training leaves them."""
    content = torch.load(tiny, weights_only=True)
    optimiser = {
        "state": {0: {"step": 5, "exp_avg": torch.zeros(2)}},
        "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999)}],
    }
    content |= {"epoch": 99, "discriminator": {"discs.1.conv": torch.zeros(3)}, "optimizer_kp_detector": optimiser}
    content["generator"] = {f"module.{name}": value for name, value in content["generator"].items()}
    old = tmp_path / "vox-cpk.pth.tar"
    torch.save(content, old, _use_new_zipfile_serialization=False)
    assert old.read_bytes()[:2] != b"PK"
    loaded, original = checkpoints.load(old).state_dict(), checkpoints.load(tiny).state_dict()
    assert loaded.keys() == original.keys()
    assert all(torch.equal(loaded[name], original[name]) for name in loaded)


def test_what_can_be_computed_may_be_missing(tiny, tmp_path):
    content = torch.load(tiny, weights_only=True)
    for part in ("generator", "kp_detector"):
        content[part] = {
            k: v for k, v in content[part].items() if not k.endswith(("down.weight", "num_batches_tracked"))
        }
    torch.save(content, tmp_path / "a.pth.tar")
    wanted, found = (checkpoints.load(path).state_dict() for path in (tiny, tmp_path / "a.pth.tar"))
    for name in ("kp_detector.down.weight", "generator.dense_motion_network.down.weight"):
        assert float((found[name] - wanted[name]).abs().max()) < 1e-7


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda c: c.pop("generator"), "holds no 'generator'"),
        (lambda c: c["generator"].pop("final.weight"), "not a checkpoint of the First Order Motion Model"),
        (lambda c: c["generator"].pop("final.bias"), "not a checkpoint of the First Order Motion Model"),
        (lambda c: c["kp_detector"].update(more=torch.zeros(1)), "not a checkpoint of the First Order Motion Model"),
    ],
)
def test_other_contents_are_refused(tiny, tmp_path, spoil, reason):
    content = torch.load(tiny, weights_only=True)
    spoil(content)
    torch.save(content, tmp_path / "a.pth.tar")
    with pytest.raises(WeightsError, match=reason):
        checkpoints.load(tmp_path / "a.pth.tar")


class _Runs:
    """A pickle that would run code."""

    def __reduce__(self):
        return (print, ("a pickle ran code",))


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, capsys):
    (tmp_path / "a.pth.tar").write_bytes(pickle.dumps({"generator": _Runs(), "kp_detector": {}}, protocol=2))
    with pytest.raises(WeightsError, match="cannot be read"):
        checkpoints.load(tmp_path / "a.pth.tar")
    assert "ran code" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"not a checkpoint at all"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "a.pth.tar").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.pth\.tar: cannot be read"):
        checkpoints.load(tmp_path / "a.pth.tar")


def test_a_known_name_must_have_the_known_checksum(tiny, tmp_path):
    (tmp_path / "vox-adv-cpk.pth.tar").write_bytes(tiny.read_bytes())
    with pytest.raises(WeightsError, match="MD5"):
        checkpoints.load(tmp_path / "vox-adv-cpk.pth.tar")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.pth\.tar: no such checkpoint"):
        FommGenerator(FommOptions(weights=str(tmp_path / "nowhere.pth.tar")))


def test_our_own_files_come_back(tiny, tmp_path):
    network = checkpoints.load(tiny)
    path = tmp_path / "own.safetensors"
    checkpoints.save(network, path, {"note": "for a test"})
    again = checkpoints.load(path)
    assert again.config == network.config
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=1e-3, atol=1e-4)  # stored as float16
    assert checkpoints.read_card(path)["note"] == "for a test"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["own.json", "own.safetensors"]


def test_our_own_files_are_checked(tiny, tmp_path):
    path = tmp_path / "own.safetensors"
    checkpoints.save(checkpoints.load(tiny), path, {})
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        checkpoints.load(path)
    path.with_suffix(".json").write_text(json.dumps({"architecture": "visiongen-vae-gan", "format": 1}))
    with pytest.raises(WeightsError, match="visiongen-vae-gan format 1"):
        checkpoints.load(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="model card"):
        checkpoints.load(path)


def test_folded_norms_change_nothing(tiny):
    plain, folded = checkpoints.load(tiny), with_folded_norms(checkpoints.load(tiny))
    picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        a, b = (
            network.generator(network.encode(picture), network.kp_detector(picture.flip(3)))
            for network in (plain, folded)
        )
    assert float((a.prediction - b.prediction).abs().max()) < 1e-4
    assert not [name for name in folded.state_dict() if "down_blocks" in name and "running_mean" in name]


def test_half_precision_stays_near(tiny):
    """Under autocast, as on a GPU: places are still found in float32."""
    network = checkpoints.load(tiny)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = network.generator(network.encode(picture), network.kp_detector(picture))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = network.kp_detector(picture)
            near = network.generator(network.encode(picture), found)
    assert found.value.dtype == near.prediction.dtype == torch.float32
    assert float((exact.prediction - near.prediction).abs().mean()) < 0.02


# -- download ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(folder):
    """A real web server on this machine."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_nothing_is_downloaded_unasked(tmp_path, monkeypatch):
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match=r"--fomm\.download"):
        FommGenerator(FommOptions(weights="vox-adv"))
    assert not list(tmp_path.iterdir())


def test_a_download_is_checked_and_kept(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "cache"))
    md5 = hashlib.md5(tiny.read_bytes(), usedforsecurity=False).hexdigest()
    with served(tiny.parent) as address:
        good = download.PublicCheckpoint(url=f"{address}/{tiny.name}", md5=md5, megabytes=1)
        monkeypatch.setitem(download.PUBLIC, "tiny", good)
        path = download.local("tiny", allowed=True)
        assert path.read_bytes() == tiny.read_bytes()
        bad = download.PublicCheckpoint(url=f"{address}/{tiny.name}", md5="0" * 32, megabytes=1)
        with pytest.raises(WeightsError, match="MD5"):
            download.fetch(bad, tmp_path / "bad.pth.tar")
        gone = download.PublicCheckpoint(url=f"{address}/nothing", md5=md5, megabytes=1)
        with pytest.raises(WeightsError, match="fetch it yourself"):
            download.fetch(gone, tmp_path / "gone.pth.tar")
    assert download.local("tiny", allowed=False) == path  # from now on without the net
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [tiny.name]
