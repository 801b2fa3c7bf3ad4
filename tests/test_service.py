"""The service as a client meets it: a real one, started on a free port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from films import copied_picture, packet_places

from visiongen import cli, media, save_motion, testing
from visiongen.batch.values import known_options
from visiongen.errors import VisionGenError
from visiongen.marking.credentials import read_credentials
from visiongen.samples import sample
from visiongen.service.gate import is_own_host, refusal
from visiongen.service.options import is_allowed, read_options
from visiongen.service.settings import TOKEN_VARIABLE, ServiceSettings

FRAMES = 5
OPTIONS = {"generator": "warp", "crop": True, "size": 64}
TOKEN = "a-token-that-nobody-guesses"


class Server:
    """A process ``visiongen serve``."""

    def __init__(self, *flags: str, token: str = "") -> None:
        words = [sys.executable, "-m", "visiongen.cli", "serve", "--port", "0", "--device", "cpu", *flags]
        environment = {**os.environ, TOKEN_VARIABLE: token}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        self.url = next(word for word in line.split() if word.startswith("http://")).rstrip(";")

    def ask(self, method: str, path: str, **how) -> requests.Response:
        return requests.request(method, self.url + path, timeout=90, **how)

    def submit(self, portrait: bytes, driving: bytes, *, name: str = "m.npz", **options) -> requests.Response:
        files = {"portrait": ("a.jpg", portrait), "driving": (name, driving)}
        return self.ask("POST", "/jobs", files=files, data={"options": json.dumps({**OPTIONS, **options})})

    def wait(self, job_id: str, *states: str) -> dict:
        until = time.monotonic() + 90
        while (found := self.ask("GET", f"/jobs/{job_id}").json())["state"] not in states:
            assert time.monotonic() < until, found
            time.sleep(0.05)
        return found

    def close(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.stdout.close()
        return self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def server(data) -> Iterator[Server]:
    limits = ("--upload-mb", "2", "--max-seconds", "2", "--most-per-client", "2", "--max-side", "512")
    one = Server("--data", str(data), *limits)
    yield one
    assert one.close() == 0


@pytest.fixture(scope="module")
def picture() -> bytes:
    return sample("astronaut.jpg").read_bytes()


@pytest.fixture(scope="module")
def motion(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("motion") / "m.npz"
    save_motion(testing.sample_motion(FRAMES), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def long_motion(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("motion") / "m.npz"
    save_motion(testing.sample_motion(90), path)
    return path.read_bytes()


def metric(server: Server, name: str) -> float:
    lines = server.ask("GET", "/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"visiongen_{name} ")).split()[-1])


# --- the way of a job -------------------------------------------------------------------------------------------------


def test_a_job_from_upload_to_deletion(server, picture, motion, data, tmp_path):
    answer = server.submit(picture, motion)
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    assert answer.headers["location"] == f"/jobs/{job}" and len(job) >= 20
    found = server.wait(job, "done", "failed")
    assert found["state"] == "done", found
    assert (found["frames"], found["width"], found["progress"]) == (FRAMES, 64, 1.0)
    result = server.ask("GET", found["result"])
    assert result.headers["content-type"] == "video/mp4" and result.headers["x-content-type-options"] == "nosniff"
    (tmp_path / "r.mp4").write_bytes(result.content)
    assert sum(len(batch) for batch in media.read_frames(media.probe(tmp_path / "r.mp4"))) == FRAMES
    folder = data / "visiongen-jobs" / job
    assert [path.name for path in folder.iterdir()] == ["result.mp4"]  # uploads are gone when they were used
    assert metric(server, "frames_total") >= FRAMES and metric(server, "worker_memory_bytes") > 1e7
    assert server.ask("DELETE", f"/jobs/{job}").status_code == 204
    assert server.ask("GET", f"/jobs/{job}").status_code == 404 and not folder.exists()
    assert server.ask("DELETE", f"/jobs/{job}").status_code == 404


def test_a_job_is_cancelled_at_work_and_while_it_waits(server, picture, long_motion, data):
    how = {"generator": "vae-gan", "size": 512}
    first, second = (server.submit(picture, long_motion, end=2, **how).json()["id"] for _ in range(2))
    refused = server.submit(picture, long_motion)
    assert refused.status_code == 429 and "retry-after" in refused.headers and "2 of your jobs" in refused.text
    assert server.ask("GET", f"/jobs/{first}/result").status_code == 409
    assert server.wait(second, "queued", "running")["state"] == "queued"
    server.wait(first, "running")
    for job in (second, first):
        assert server.ask("DELETE", f"/jobs/{job}").status_code == 204
    until = time.monotonic() + 30
    while list((data / "visiongen-jobs").iterdir()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not list((data / "visiongen-jobs").iterdir())


def test_large_pictures_are_brought_to_the_limit(server, motion):
    import io

    from PIL import Image

    kept = io.BytesIO()
    with Image.open(sample("astronaut.jpg")) as image:
        image.resize((640, 640)).save(kept, "PNG")
    files = {"portrait": kept.getvalue(), "driving": ("m.npz", motion)}
    answer = server.ask("POST", "/jobs", files=files, data={"options": '{"generator": "warp"}'})
    found = server.wait(answer.json()["id"], "done", "failed")
    assert (found["state"], found["width"]) == ("done", 512)
    assert server.ask("DELETE", f"/jobs/{found['id']}").status_code == 204


def test_a_clip_that_breaks_off_is_used_and_told(server, picture, data, tmp_path):
    path = copied_picture(sample("driving.mp4"), tmp_path / "a.mp4", times=3)  # 18 s, of which 12 can be read
    path.write_bytes(path.read_bytes()[: packet_places(path, "video")[300][0]])
    answer = server.submit(picture, path.read_bytes(), name="a.mp4", start=11.2)  # without the break: more than 2 s
    assert answer.status_code == 202, answer.text
    found = server.wait(answer.json()["id"], "done", "failed")
    assert found["state"] == "done" and 15 <= found["frames"] <= 21, found
    (warning,) = [text for text in found["warnings"] if "breaks off" in text]
    assert f"{found['frames']} of about 1" in warning and str(data) not in warning
    server.ask("DELETE", f"/jobs/{found['id']}")


def test_the_health_page_counts(server):
    assert server.ask("GET", "/health").json()["status"] == "ok"


# --- what is refused --------------------------------------------------------------------------------------------------


def test_files_that_are_none(server, picture, motion, long_motion, data):
    for portrait, driving, words in (
        (b"no picture", motion, "portrait is not a picture"),
        (picture, b"no motion", "driving.npz"),
        (b"", motion, "portrait is empty"),
        (picture, long_motion, "at most 2 s are taken"),
    ):
        answer = server.submit(portrait, driving)
        assert answer.status_code == 422 and words in answer.json()["error"], answer.text
        assert str(data) not in answer.text
    assert server.submit(picture, b"no video", name="m.mp4").status_code == 422
    assert not list((data / "visiongen-jobs").iterdir())


@pytest.mark.parametrize("declared", [True, False])
def test_too_much(server, declared):
    body = b"-" * (3 << 20)
    kind = {"content-type": "multipart/form-data; boundary=b"}
    part = b'--b\r\nContent-Disposition: form-data; name="portrait"; filename="a"\r\n\r\n'
    sent = part + body if declared else iter([part, body])
    try:
        assert server.ask("POST", "/jobs", data=sent, headers=kind).status_code == 413
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):  # it may hang up before all was sent
        pass
    assert server.ask("GET", "/health").ok


@pytest.mark.parametrize(
    "options, words",
    [
        ({"vae-gan.weights": "/etc/passwd"}, "cannot be given"),
        ({"out": "/tmp/x.mp4"}, "cannot be given"),
        ({"device": "cuda"}, "cannot be given"),
        ({"pose": 9}, "pose"),
        ({"size": 4096}, "at most 512"),
        ({"format": "../x"}, "format"),
        ({"sise": 3}, "did you mean 'size'"),
        ({"exporter": "png"}, "folder"),
    ],
)
def test_options_that_cannot_be(server, picture, motion, options, words):
    answer = server.submit(picture, motion, **options)
    assert answer.status_code == 422 and words in answer.json()["error"], answer.text


def test_requests_that_are_no_jobs(server, picture):
    assert server.ask("POST", "/jobs", data={"options": "{}"}).status_code == 422
    assert server.ask("POST", "/jobs", data=b"{}", headers={"content-type": "application/json"}).status_code == 422
    files = {"portrait": picture, "driving": picture, "other": picture}
    assert server.ask("POST", "/jobs", files=files).status_code in (400, 422)
    assert server.ask("GET", "/jobs/../../etc/passwd").status_code == 404
    assert server.ask("PUT", "/jobs/x").status_code == 405
    assert server.ask("GET", "/jobs").status_code == 405


def test_other_names_and_other_pages(server):
    assert server.ask("GET", "/health", headers={"host": "evil.example"}).status_code == 403
    assert server.ask("POST", "/jobs", headers={"origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("text", ["[]", "{", '"x"', "[" * 9000, "{}" + " " * 20000])
def test_options_that_are_no_object(text):
    with pytest.raises(VisionGenError, match="options"):
        read_options(text, known=known_options())


def test_no_option_names_a_file():
    known = known_options()
    assert not any(is_allowed(name, known) for name in ("portrait", "driving", "out", "save_motion", "vae-gan.weights"))
    assert all(is_allowed(name, known) for name in ("size", "generator", "enhancers", "consent", "start", "pose"))


# --- who may ask ------------------------------------------------------------------------------------------------------


def test_hosts():
    assert all(is_own_host(host, ()) for host in ("localhost:80", "127.0.0.1:8400", "[::1]:8400", "10.0.0.3"))
    assert not any(is_own_host(host, ()) for host in ("evil.example", "127.0.0.1.evil.example", "", None, "[", "a@b"))
    assert is_own_host("films.example:443", ("films.example",))


def test_the_token():
    own = {"host": "localhost"}
    how = {"token": TOKEN, "names": ()}
    assert refusal("/jobs", own, **how)[0] == 401
    assert refusal("/jobs", {**own, "authorization": f"Bearer {TOKEN}x"}, **how)[0] == 401
    assert refusal("/jobs", {**own, "authorization": f"Bearer {TOKEN}"}, **how) is None
    assert refusal("/health", own, **how) is None
    assert refusal("/metrics", own, **how)[0] == 401


def test_other_machines_need_a_token(monkeypatch, capsys):
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    assert cli.main(["serve", "--host", "0.0.0.0"]) == 1
    assert TOKEN_VARIABLE in capsys.readouterr().err
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(VisionGenError, match="at least 16"):
        ServiceSettings(host="0.0.0.0")
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert not ServiceSettings(host="0.0.0.0").is_local


def test_a_webm_comes_with_its_manifest_beside_it(server, picture, motion, tmp_path):
    found = server.wait(server.submit(picture, motion, format="webm").json()["id"], "done", "failed")
    film, manifest = server.ask("GET", found["result"]), server.ask("GET", found["credentials"])
    assert (film.status_code, manifest.status_code) == (200, 200)
    assert manifest.headers["content-type"] == "application/c2pa"
    (tmp_path / "result.webm").write_bytes(film.content)
    (tmp_path / "result.c2pa").write_bytes(manifest.content)
    assert read_credentials(tmp_path / "result.webm").state in ("valid", "own")
    mp4 = server.wait(server.submit(picture, motion).json()["id"], "done", "failed")
    assert mp4["credentials"] is None
    assert server.ask("GET", f"/jobs/{mp4['id']}/credentials").status_code == 404


def test_a_port_that_is_taken(server, capsys):
    assert cli.main(["serve", "--port", server.url.rsplit(":", 1)[1]]) == 1
    assert "choose another --port" in capsys.readouterr().err


# --- over time --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_token_a_killed_worker_and_the_end_of_results(picture, motion, long_motion, tmp_path):
    server = Server("--keep", "4", "--data", str(tmp_path), token=TOKEN)
    try:
        assert server.submit(picture, motion).status_code == 401
        server.ask = lambda method, path, **how: requests.request(
            method, server.url + path, timeout=90, headers={"authorization": f"Bearer {TOKEN}"}, **how
        )
        job = server.submit(picture, long_motion, generator="vae-gan", size=512).json()["id"]
        server.wait(job, "running")
        before = metric(server, "worker_starts_total")
        for worker in _children(server.process.pid):
            os.kill(worker, signal.SIGKILL)
        assert "SIGKILL" in server.wait(job, "failed")["error"]
        job = server.submit(picture, motion).json()["id"]
        server.wait(job, "done")
        assert metric(server, "worker_starts_total") > before
        time.sleep(6)
        assert server.ask("GET", f"/jobs/{job}").status_code == 404
        assert not list((tmp_path / "visiongen-jobs").iterdir())
        workers = _children(server.process.pid)
    finally:
        assert server.close() == 0
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def _children(pid: int) -> list[int]:
    found = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for names in found for child in names]
