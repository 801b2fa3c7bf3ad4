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
