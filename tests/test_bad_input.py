"""Bad files cost a sentence: no crash, no hang, no memory, nothing touched outside of the job's folder."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest
from bad_file_readers import READERS, check_sentence
from bad_file_runs import Runner
from bad_files import Trap, bad, broken, corpus
from bad_pictures import picture

from visiongen.errors import MediaError, VisionGenError

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits and watches are those of Linux"),
    pytest.mark.filterwarnings("ignore:Duplicate name"),  # two files of one name in a zip: meant so
]
SHOWN = 10


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    with Runner(tmp_path_factory.mktemp("bad") / "files") as made:
        yield made


def faults(runner: Runner, *, sample: bool, seed: int = 0) -> list[str]:
    found = []
    for one in corpus(runner.trap, seed=seed, sample=sample):
        for reader in one.readers[:1] if sample else one.readers:
            outcome = runner.outcome(one, reader)
            if not outcome.is_fine:
                found.append(f"{one.kind}: {one.name!r} by {reader}: {outcome.result}: {outcome.message[:300]}")
    return found


def test_the_corpus_is_large_and_the_same_each_time():
    everything = corpus(Trap(folder="/nowhere", url="http://127.0.0.1:9"))
    assert len(everything) >= 1000 and len({one.kind for one in everything}) >= 25
    assert {reader for one in everything for reader in one.readers} == set(READERS)
    first, again, other = (
        [one.content() for one in broken("a.png", partial(picture, "PNG"), np.random.default_rng(seed), "picture")]
        for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.slow
def test_the_most_dangerous_files(runner):
    found = faults(runner, sample=True)
    assert not found, "\n".join(found[:SHOWN])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [0, 1])
def test_all_files(runner, seed):
    found = faults(runner, sample=False, seed=seed)
    assert not found, "\n".join(found[:SHOWN])


@pytest.mark.slow
def test_the_net_has_no_holes(runner):
    """What the runner looks for is found where it happens: with files that good readers do read."""
    good = next(one for one in corpus(runner.trap) if one.kind == "wrong suffix" and "picture" in one.readers)
    assert runner.outcome(good, "picture").result == "read"
    refused = bad(good.kind, good.name, good.made, "picture", refuse=True)
    assert "should be refused" in runner.outcome(refused, "picture").message
    assert not runner.outcome(good, "no such reader").is_fine
    (runner.folder / "trap" / "secret.txt").read_text()
    assert runner._watch.seen() and not runner._watch.seen()


@pytest.mark.parametrize("text", ["two\nlines", "bell \x07 and \x1b[31mred", "bytes \udcff", "a" * 9999])
def test_messages_are_one_line_that_every_terminal_shows(text):
    message = str(MediaError(f"the picture {text} does not exist; check its name"))
    check_sentence(message)
    message.encode("utf-8")


def test_messages_of_plain_names_stay_as_they_are():
    assert str(VisionGenError("café.png: 90° — not found")) == "café.png: 90° — not found"
