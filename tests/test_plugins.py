"""The plugin host, tried with fake installed distributions: one per way to fail, in tests/fake_plugins."""

import importlib.metadata
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from visiongen import plugin_host, plugins
from visiongen.datatypes import FrameBatch, MotionTrack, Portrait, Provenance
from visiongen.errors import PluginError, WeightsError
from visiongen.hookspecs import (
    Comparison,
    Component,
    Enhancer,
    Exporter,
    FramePair,
    Generator,
    Metric,
    MotionSource,
)
from visiongen.pipeline import Choice, extract_motion

FAKES = Path(__file__).parent / "fake_plugins"


@pytest.fixture
def install(monkeypatch):
    """A function that puts fake distributions on the path and gives what `build_manager` takes."""

    def put(*folders: str) -> list[importlib.metadata.Distribution]:
        paths = [str(FAKES / folder) for folder in folders]
        monkeypatch.setattr(sys, "path", [*sys.path, *paths])
        return list(importlib.metadata.distributions(path=paths))

    return put


@pytest.fixture
def good(install, monkeypatch):
    """The sound plugin as the only third-party one, through the public access."""
    install("good")
    monkeypatch.setenv(plugins.ENVIRONMENT_VARIABLE, "good")
    plugins._host.cache_clear()
    yield
    plugins._host.cache_clear()


def third_party(host: plugins.Host) -> dict[str, str]:
    """Plugin -> its failures, without those of built-ins."""
    found: dict[str, str] = {}
    for failure in host.failures:
        if failure.distribution != "visiongen":
            found[failure.plugin] = (found.get(failure.plugin, "") + "\n" + failure.reason).strip()
    return found


def names(host: plugins.Host, kind: str) -> set[str]:
    """Components of `kind` that no built-in offers."""
    return {name for name, one in host.components[kind].items() if not one.plugin.startswith("visiongen ")}


def small_portrait() -> Portrait:
    crop = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    return Portrait(image=crop, crop=crop, landmarks=np.zeros((478, 3)), image_from_crop=np.eye(2, 3))


def motion(length: int) -> MotionTrack:
    return MotionTrack(
        rotation=np.broadcast_to(np.eye(3), (length, 3, 3)),
        translation=np.zeros((length, 3)),
        scale=np.ones(length),
        offsets=np.zeros((length, 478, 3)),
        visible=np.ones(length, bool),
        times=np.arange(length) / 25,
        face_width=8.0,
        height=16,
        width=16,
    )


# What a sound plugin gets.


def test_hook_visiongen_generators(good):
    component = plugins.choose("generator", "still")
    generator = plugins.load(component, component.options(pace=2.0))
    assert isinstance(generator, Generator) and generator.options.pace == 2.0
    assert [len(batch) for batch in generator.render(small_portrait(), motion(3))] == [1, 1, 1]
    assert plugins.generators()["still"].plugin == "visiongen-good 1.0"


def test_hook_visiongen_enhancers(good):
    enhancer = plugins.load(plugins.enhancers()["same"])
    assert isinstance(enhancer, Enhancer)
    batch = FrameBatch(pixels=np.zeros((2, 4, 4, 3)), times=[0, 1])
    assert list(enhancer.enhance([batch], small_portrait())) == [batch]


def test_hook_visiongen_exporters(good, tmp_path):
    exporter = plugins.load(plugins.exporter_for(tmp_path / "frames.count"))
    assert isinstance(exporter, Exporter)
    batches = [FrameBatch(pixels=np.zeros((2, 4, 4, 3)), times=[0, 1])]
    path = tmp_path / "frames.count"
    assert exporter.export(batches, path, fps=Fraction(1), sound=None, provenance=Provenance(software="test")) == 2
    assert path.read_text() == "2"


def test_hook_visiongen_metrics(good):
    metric = plugins.load(plugins.metrics()["length"])
    assert isinstance(metric, Metric)
    run = metric.start(Comparison(fps=25.0, portrait=np.zeros((4, 4, 3), np.uint8)))
    run.add(FramePair(time=0.0, generated=np.zeros((4, 4, 3)), real=np.zeros((4, 4, 3))))
    assert run.result() == {"length": 1.0}


def test_hook_visiongen_motion_sources(good, tmp_path):
    source = plugins.load(plugins.motion_source_for(tmp_path / "face.REST"))
    assert isinstance(source, MotionSource) and "rest" in plugins.motion_sources()
    assert len(source.extract(tmp_path / "face.rest", start=0.0, end=None, progress=None)) == 1
    assert extract_motion(tmp_path / "face.rest").face_width == 8
    assert extract_motion(tmp_path / "face", source="rest").face_width == 8
    assert extract_motion(tmp_path / "face", source=Choice(name="rest")).face_width == 8


def test_endings_that_nobody_claims_are_read_as_video(good):
    assert plugins.motion_source_for("a.npz").name == "template"
    assert plugins.motion_source_for("a.mpeg4").name == plugins.motion_source_for("a").name == "video"


def test_a_sound_plugin_is_listed(good):
    listed = {plugin.name: plugin for plugin in plugins.installed_plugins()}["good"]
    assert (listed.distribution, listed.version) == ("visiongen-good", "1.0")
    assert listed.hooks == tuple(sorted(plugin_host.hook_name(kind) for kind in plugins.PROTOCOLS))
    assert listed.offers["enhancer"] == ("same",) and "still" in listed.offers["generator"]
    assert not [failure for failure in plugins.plugin_failures() if failure.plugin == "good"]


def test_the_built_in_enhancers_come_through_the_same_door(install):
    host = plugins.build_manager(installed=())
    assert {"deflicker", "artefacts", "colour", "sharpen"} <= set(host.components["enhancer"])
    assert next(iter(host.plugins)) in plugins.BUILT_INS
    assert "visiongen_enhancers" in host.plugins["visiongen.enhancers"].hooks


def test_a_distribution_may_hold_several_plugins(install):
    host = plugins.build_manager(install("two_entries"))
    assert host.plugins["entry-one"].offers == {"generator": ("one",)}
    assert host.plugins["entry-two"].offers == {"generator": ("two",)}
    assert third_party(host) == {}


def test_listings_are_sorted(good):
    for listing in (plugins.generators(), plugins.enhancers(), plugins.exporters()):
        assert list(listing) == sorted(listing)


# Ways to fail: each costs only itself and is shown with its reason.


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("import_error", "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"),
        ("exits", "SystemExit: no licence found"),
        ("missing_module", "No module named 'visiongen_missing_module'"),
        ("wrong_signature", "Argument(s) {'device'}"),
        ("misspelt_hook", "unknown hook 'visiongen_generator'"),
        ("no_hook", "is @hookimpl missing"),
        ("class_entry", "must name a module, not <class"),
        ("damaged_metadata", "AttributeError"),
    ],
)
def test_a_broken_plugin_costs_only_itself(install, folder, reason):
    host = plugins.build_manager(install("good", folder))
    failures = [failure for failure in host.failures if failure.distribution not in ("visiongen", "visiongen-good")]
    assert len(failures) == 1 and reason in failures[0].reason
    assert failures[0].distribution.startswith("visiongen-") and failures[0].version == "1.0"
    assert failures[0].plugin == folder.replace("_", "-").removesuffix("-metadata")
    assert failures[0].distribution in str(failures[0]) and "\n" not in failures[0].reason
    assert "good" in host.plugins and failures[0].plugin not in host.plugins
    assert "still" in names(host, "generator")
    host.manager.check_pending()  # nothing half-registered is left


def test_all_broken_plugins_together(install):
    everything = sorted(folder.name for folder in FAKES.iterdir())
    host = plugins.build_manager(install(*everything))
    assert {"still", "twin", "from-a", "before-the-fall"} <= names(host, "generator")
    assert {"count", "sound", "in-good-order"} <= names(host, "exporter")
    assert len(third_party(host)) >= 13


def test_a_raising_hook_keeps_what_came_before_and_the_other_hooks(install):
    host = plugins.build_manager(install("raising_hook"))
    assert third_party(host) == {"raising-hook": "ZeroDivisionError: one over nothing"}
    assert "raise ZeroDivisionError" in next(f for f in host.failures if f.plugin == "raising-hook").details
    assert names(host, "generator") == {"before-the-fall"} and names(host, "exporter") == {"sound"}


def test_a_wrong_return_type_is_reported(install):
    host = plugins.build_manager(install("wrong_return"))
    reasons = third_party(host)["wrong-return"]
    assert "visiongen_generators() must return an iterable of Component, not Component(" in reasons
    assert "visiongen_enhancers() must return an iterable of Component, not None" in reasons
    assert "visiongen_exporters() must offer Components, not 'gif'" in reasons
    assert names(host, "generator") == set() and names(host, "exporter") == {"in-good-order"}


def test_offers_that_cannot_be_used_are_reported(install):
    host = plugins.build_manager(install("bad_offers"))
    reasons = third_party(host)["bad-offers"].splitlines()
    assert len(reasons) == 8 and names(host, "generator") == names(host, "exporter") == set()
    for wanted in (
        "'Upper Case': a name consists of",
        "'no-load' needs",
        "Thawed is not frozen",
        "'needy' cannot be used",
        "Listy.speeds must be bool, int, float, str",
        "speed is 3.0, but must be a number from 0 to 1",
        "options must be a dataclass",
        "`suffixes` is a tuple",
    ):
        assert sum(wanted in reason for reason in reasons) == 1, wanted


@pytest.mark.parametrize("order", [("same_offer_a", "same_offer_b"), ("same_offer_b", "same_offer_a")])
def test_of_two_offers_of_one_name_the_alphabetically_first_plugin_wins(install, order):
    host = plugins.build_manager(install(*order))
    assert host.components["generator"]["twin"].summary == "of a"
    reason = third_party(host)["same-offer-b"]
    assert "'twin' is already offered by visiongen-same-offer-a 1.0" in reason
    assert "visiongen-same-offer-b 1.0" in reason


def test_a_built_in_wins_over_any_plugin(install):
    host = plugins.build_manager(install("clash_with_built_in"))
    assert host.components["enhancer"]["sharpen"].plugin.startswith("visiongen ")
    assert "'sharpen' is already offered by visiongen " in third_party(host)["a-clash"]


@pytest.mark.parametrize("order", [("same_key_a", "same_key_b"), ("same_key_b", "same_key_a")])
def test_two_distributions_of_one_plugin_name(install, order):
    host = plugins.build_manager(install(*order))
    assert names(host, "generator") == {"from-a"}
    failure = next(failure for failure in host.failures if failure.plugin == "same-key")
    assert failure.distribution == "visiongen-same-key-b" and "visiongen-same-key-a 1.0" in failure.reason


def test_one_distribution_found_twice_counts_once(install):
    assert third_party(plugins.build_manager([*install("good"), *install("good")])) == {}


def test_damaged_metadata_is_reported_where_it_is_ours(tmp_path):
    class Damaged(importlib.metadata.Distribution):
        def read_text(self, filename):
            if filename == "METADATA":
                return "Name: visiongen-rotten\nVersion: 3\n"
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

        def locate_file(self, path):
            return tmp_path / path

    class Nameless(Damaged):
        def read_text(self, filename):
            return None

    failures = third_party(plugins.build_manager([Damaged(), Nameless()]))
    assert list(failures) == ["visiongen-rotten"] and "UnicodeDecodeError" in failures["visiongen-rotten"]


# Choosing.


def test_the_environment_variable_chooses(install):
    found = install("good", "same_key_a", "import_error")
    assert set(third_party(plugins.build_manager(found))) == {"import-error"}
    assert plugins.build_manager(found, only="").plugins.keys() <= set(plugins.BUILT_INS)
    host = plugins.build_manager(found, only=" good , visiongen_Same.key-A,")
    assert {"good", "same-key"} <= host.plugins.keys() and third_party(host) == {}
    host = plugins.build_manager(found, only="good,goood")
    assert "good" in host.plugins
    assert "no such plugin is installed; installed: good, import-error, same-key" in third_party(host)["goood"]


def test_the_environment_variable_is_read(install, monkeypatch):
    install("good")
    plugins._host.cache_clear()
    monkeypatch.setenv(plugins.ENVIRONMENT_VARIABLE, "")
    assert "still" not in plugins.generators()
    monkeypatch.delenv(plugins.ENVIRONMENT_VARIABLE)
    assert "still" in plugins.generators()
    plugins._host.cache_clear()


def test_an_unknown_name_names_the_choices_and_the_nearest(good):
    assert plugins.choose("generator", "still").name == "still"
    with pytest.raises(
        PluginError, match=r"^no generator named 'stil' \(did you mean 'still'\?\); choose one of: "
    ) as e:
        plugins.choose("generator", "stil")
    assert all(name in str(e.value) for name in plugins.generators())
    with pytest.raises(PluginError, match=r"^no enhancer named 'qqq'; choose one of: .*sharpen"):
        plugins.choose("enhancer", "qqq")


def test_the_ending_chooses_the_exporter(good):
    assert plugins.exporter_for("a/b.COUNT").name == "count"
    assert plugins.exporter_for(Path("b.count.txt")).name == "count"  # the longest ending
    assert plugins.exporter_for("note.txt").name == "plain"
    assert plugins.exporter_for("folder").suffixes == ()
    with pytest.raises(PluginError, match=r"no exporter writes 'a\.xyz'.*'\.xyz'; choose one of: .*\.count, .*folder"):
        plugins.exporter_for("out/a.xyz")


# Loading.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pace": 7.0}, "generator 'still': option pace is 7.0, but must be a number from 0.5 to 2"),
        ({"pace": float("nan")}, "option pace is nan"),
        ({"pace": "fast"}, "option pace is 'fast', but must be a number"),
        ({"pace": True}, "option pace is True"),
        ({"repeats": 0}, "option repeats is 0, but must be a whole number of at least 1"),
        ({"repeats": 1.5}, "option repeats is 1.5, but must be a whole number"),
        ({"mode": "wild"}, "option mode is 'wild', but must be one of: calm, calmer"),
        ({"title": 3}, "option title is 3, but must be a text"),
    ],
)
def test_options_are_checked(good, values, message):
    component = plugins.choose("generator", "still")
    with pytest.raises(PluginError) as e:
        plugins.load(component, component.options(**values))
    assert message in str(e.value)


def test_options_that_fit_are_passed_on(good):
    component = plugins.choose("generator", "still")
    for values in ({"pace": 2}, {"pace": np.float32(0.5)}, {"repeats": np.int64(9)}, {"title": "x"}, {"title": None}):
        options = component.options(**values)
        assert plugins.load(component, options).options is options


def test_options_of_another_component_are_refused(good):
    with pytest.raises(PluginError, match="enhancer 'same' takes NoOptions, not dict"):
        plugins.load(plugins.choose("enhancer", "same"), {})


def test_what_load_raises_names_the_plugin(good):
    with pytest.raises(
        PluginError, match=r"generator 'broken' of visiongen-good 1.0 failed to load: OSError: the disk"
    ):
        plugins.load(plugins.choose("generator", "broken"))


@pytest.mark.parametrize("name", ["classy", "other-kind"])
def test_what_load_gives_must_be_of_its_kind(good, name):
    with pytest.raises(PluginError, match=f"generator '{name}' of visiongen-good 1.0 gave .*, which is no Generator"):
        plugins.load(plugins.choose("generator", name))


def test_own_errors_pass_through_and_the_device_is_passed():
    def fail(options, *, device):
        raise WeightsError(f"no weights for {device}")

    with pytest.raises(WeightsError, match="no weights for cuda"):
        plugins.load(Component(name="x", summary="", load=fail), device="cuda")


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from visiongen import plugins as p;"
        "p.generators(), p.enhancers(), p.exporters(), p.installed_plugins(), p.plugin_failures();"
        "print(sorted({'torch', 'mediapipe', 'av', 'streamlit', 'moviepy'} & set(sys.modules)))"
    )
    root = Path(plugins.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
