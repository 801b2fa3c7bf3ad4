"""The sample media are found, and what is not there is answered with what is."""

import pytest

from visiongen import samples
from visiongen.errors import MediaError


@pytest.mark.parametrize("name", ["astronaut.jpg", "cartoon.png", "statue.png", "painting.png", "driving.mp4"])
def test_every_sample_is_found(name):
    assert samples.sample(name).name == name and samples.sample(name).stat().st_size > 10_000


def test_an_unknown_name_is_answered_with_the_choices():
    with pytest.raises(MediaError, match=r"there are: .*astronaut\.jpg.*driving\.mp4"):
        samples.sample("nobody.jpg")


@pytest.mark.parametrize("kind", samples.PROBLEMS)
def test_every_failure_case_has_a_portrait_and_a_small_clip(kind):
    portrait, clip = (samples.sample(name) for name in samples.PROBLEMS[kind])
    assert portrait.suffix in (".jpg", ".png") and clip.suffix == ".mp4"
    assert clip.name == samples.DRIVING or clip.stat().st_size < 150_000
