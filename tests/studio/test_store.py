"""The store: runs on disk, ratings, project files; it survives a restart and hostile zips."""

from __future__ import annotations

import json
import threading
import zipfile
from fractions import Fraction

import numpy as np
import pytest
from renders import sample_settings

from studio.store import Store, data_root
from visiongen.errors import MediaError, VisionGenError


@pytest.fixture
def own_store(tmp_path):
    return Store(tmp_path / "studio")


def finished(store: Store, title: str = "A run"):
    """A run that ended, with small files of its own."""
    run = store.create(sample_settings(), "me", title)
    (run.folder / "result.mp4").write_bytes(b"not really a film")
    np.savez(run.folder / "series.npz", ssim=np.array([0.5, 0.75], np.float32))
    return store.update(run.id, state="done", frames=2, fps=Fraction(30000, 1001), size=(64, 48), summary={"ssim": 0.6})


def test_create_update_get(own_store):
    run = own_store.create(sample_settings(), "me")
    assert run.state == "queued" and run.folder.is_dir() and run.title == "cartoon · driving"
    own_store.update(run.id, state="running", device="cpu")
    again = own_store.get(run.id)
    assert (again.state, again.device, again.settings) == ("running", "cpu", run.settings)
    with pytest.raises(VisionGenError, match="no run 'x'"):
        own_store.get("x")
    with pytest.raises(ValueError, match="state"):
        own_store.update(run.id, state="flying")


def test_runs_newest_first_and_filtered(own_store):
    first, second = finished(own_store, "one"), own_store.create(sample_settings(), "you", "two")
    assert [run.title for run in own_store.runs()] == ["two", "one"]
    assert own_store.runs(session="you") == [second]
    assert own_store.runs(states=("done",)) == [first]


def test_everything_survives_a_restart_and_the_loss_of_the_index(own_store):
    run = finished(own_store)
    own_store.add_rating(run.id, {"realism": 4}, session="me")
    again = Store(own_store.root)
    assert again.get(run.id) == run and again.ratings()[0].scores == {"realism": 4}
    (own_store.root / "studio.sqlite").unlink()
    assert Store(own_store.root).get(run.id) == run


def test_files_of_a_run(own_store):
    run = finished(own_store)
    assert run.series()["ssim"].tolist() == [0.5, 0.75]
    assert run.tracks() == {} and run.problems() == [] and run.file("thumbnail.jpg") is None
    (run.folder / "tracks.npz").write_bytes(b"PK damaged")
    with pytest.raises(MediaError, match="damaged"):
        run.tracks()


def test_delete(own_store):
    run = finished(own_store)
    own_store.add_rating(run.id, {"realism": 4}, session="me")
    own_store.delete(run.id)
    own_store.delete(run.id)
    assert own_store.runs() == [] and not run.folder.exists() and own_store.ratings() == []


def test_ratings_are_checked(own_store):
    run = finished(own_store)
    rating = own_store.add_rating(run.id, {"realism": 5, "identity": 1}, session="me", opponent="other")
    assert own_store.ratings(run.id) == [rating] and own_store.ratings("other") == []
    for scores in ({}, {"realism": 6}, {"realism": 0}, {"realism": True}, {"realism": 2.5}):
        with pytest.raises(ValueError, match="1 to 5"):
            own_store.add_rating(run.id, scores, session="me")
    with pytest.raises(VisionGenError):
        own_store.add_rating("nobody", {"realism": 3}, session="me")


def test_threads_do_not_lose_updates(own_store):
    run = own_store.create(sample_settings(), "me")
    threads = [threading.Thread(target=own_store.add_rating, args=(run.id, {"realism": 3}), kwargs={"session": str(n)})
               for n in range(8)]  # fmt: skip
    threads += [threading.Thread(target=own_store.update, args=(run.id,), kwargs={name: value})
                for name, value in (("title", "new"), ("device", "cpu"), ("frames", 9))]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = own_store.get(run.id)
    assert (again.title, again.device, again.frames) == ("new", "cpu", 9) and len(own_store.ratings()) == 8


def test_data_root(monkeypatch, tmp_path):
    monkeypatch.setenv("VISIONGEN_STUDIO_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.delenv("VISIONGEN_STUDIO_DATA")
    assert data_root().name == "studio"


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MediaError, match="VISIONGEN_STUDIO_DATA"):
        Store(tmp_path / "file" / "below")


# -- projects ----------------------------------------------------------------------------------------------------------


def test_project_goes_to_another_studio(own_store, tmp_path):
    run = finished(own_store)
    out = own_store.export_project([run.id], tmp_path / "project.zip")
    other = Store(tmp_path / "other")
    (taken,) = other.import_project(out, "them")
    assert taken.id != run.id and taken.session == "them"
    assert (taken.title, taken.summary, taken.fps, taken.size) == (run.title, run.summary, run.fps, run.size)
    assert taken.file("result.mp4").read_bytes() == run.file("result.mp4").read_bytes()
    # The inputs came along, and only they are used.
    for mine, theirs in (
        (run.settings.portrait, taken.settings.portrait),
        (run.settings.driving, taken.settings.driving),
    ):
        assert taken.folder in type(taken.folder)(theirs).parents
        assert open(mine, "rb").read() == open(theirs, "rb").read()
    assert taken.settings.portrait_name == "cartoon.png"
    assert [one.id for one in Store(other.root).runs()] == [taken.id]


def test_a_run_that_is_not_over_is_not_exported(own_store, tmp_path):
    run = own_store.create(sample_settings(), "me")
    with pytest.raises(VisionGenError, match="not ended"):
        own_store.export_project([run.id], tmp_path / "project.zip")
    with pytest.raises(VisionGenError, match="no run"):
        own_store.export_project([], tmp_path / "project.zip")


def test_what_was_left_half_done_is_not_taken_along(own_store, tmp_path):
    run = finished(own_store)
    whole = set(
        own_store.export_project([run.id], tmp_path / "a.zip") and zipfile.ZipFile(tmp_path / "a.zip").namelist()
    )
    (run.folder / ".result.mp4.x1.frames").mkdir()
    (run.folder / ".result.mp4.x1.frames" / "0.jpg").write_bytes(b"half")
    for name in (".result.mp4.part", ".run.json.part", ".hidden.png", "notes.txt", "result.mp4.part"):
        (run.folder / name).write_bytes(b"half")
    (run.folder / "result-png").mkdir()
    (run.folder / "result-png" / "0.png").write_bytes(b"a folder of pictures has its zip")
    again = own_store.export_project([run.id], tmp_path / "b.zip")
    assert set(zipfile.ZipFile(again).namelist()) == whole
    (taken,) = Store(tmp_path / "other").import_project(again, "them")
    assert not [path.name for path in taken.folder.iterdir() if path.name.startswith(".")]
    assert not list(tmp_path.glob(".*")), "nothing half-written is left beside the zip"


def hostile_zip(path, files: dict[str, bytes], *, project=b'{"format": 1, "runs": ["a"]}'):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", project)
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def record(**changes) -> bytes:
    values = {"format": 1, "id": "a", "session": "x", "title": "t", "created": 1.0, "state": "done",
              "settings": sample_settings().to_dict()}  # fmt: skip
    return json.dumps({**values, **changes}).encode()


@pytest.mark.parametrize(
    "files, project",
    [
        ({"runs/a/run.json": record(), "../../evil.png": b"x"}, None),
        ({"runs/a/run.json": record(), "/tmp/evil.png": b"x"}, None),
        ({"runs/a/run.json": record(), "runs/../evil.png": b"x"}, None),
        ({"runs/a/run.json": record(), "runs/a/evil.py": b"x"}, None),
        ({"runs/a/run.json": record(), "runs/a/.hidden.png": b"x"}, None),
        ({"runs/a/run.json": record(format=99)}, None),
        ({"runs/a/run.json": b"no json"}, None),
        ({"runs/a/result.mp4": b"x"}, None),
        ({}, None),
        ({"runs/a/run.json": record()}, b'{"format": 2}'),
        ({"runs/a/run.json": record(), "runs/b/run.json": record(state="flying")}, None),
    ],
)
def test_hostile_projects_add_nothing(own_store, tmp_path, files, project):
    path = hostile_zip(tmp_path / "evil.zip", files, **({"project": project} if project else {}))
    with pytest.raises(MediaError):
        own_store.import_project(path, "me")
    assert own_store.runs() == [] and list((own_store.root / "runs").iterdir()) == []
    assert not list(tmp_path.rglob("evil.p*"))


def test_not_a_zip_and_too_large(own_store, tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(b"x" * 100)
    with pytest.raises(MediaError, match="not a project"):
        own_store.import_project(tmp_path / "a.zip", "me")
    path = hostile_zip(tmp_path / "b.zip", {"runs/a/run.json": record(), "runs/a/result.mp4": bytes(1 << 20)})
    monkeypatch.setattr("studio.project.MAX_BYTES", 1 << 19)
    with pytest.raises(MediaError, match="too large"):
        own_store.import_project(path, "me")


def test_paths_in_a_project_mean_nothing_here(own_store, tmp_path):
    """A project that names a file of this machine as its input does not get it."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"mine")
    settings = {**sample_settings().to_dict(), "portrait": str(secret), "driving": "/etc/passwd"}
    path = hostile_zip(tmp_path / "p.zip", {"runs/a/run.json": record(settings=settings)})
    (run,) = own_store.import_project(path, "me")
    for taken in (run.settings.portrait, run.settings.driving):
        assert taken.startswith(str(run.folder))
