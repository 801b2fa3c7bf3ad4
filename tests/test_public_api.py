"""`visiongen.*`: few names, all there, all documented."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import visiongen
from visiongen import datatypes, errors


def test_names_are_few_sorted_and_unique():
    assert visiongen.__all__ == sorted(set(visiongen.__all__))
    assert len(visiongen.__all__) <= 30
    assert dir(visiongen) == visiongen.__all__


@pytest.mark.parametrize("name", visiongen.__all__)
def test_every_name_is_there_and_documented(name):
    thing = getattr(visiongen, name)
    home = importlib.import_module(f"visiongen.{visiongen._HOME_OF[name]}")
    assert getattr(home, name) is thing
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert thing.__module__ == home.__name__, "a name is public where it is defined"
        assert inspect.getdoc(thing)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(visiongen.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module.removeprefix("visiongen."), alias.name)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {(home, name) for name, home in visiongen._HOME_OF.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        visiongen.nonsense  # noqa: B018
    with pytest.raises(ImportError):
        exec("from visiongen import nonsense")


def test_everything_can_be_imported_at_once():
    namespace: dict = {}
    exec("from visiongen import *", namespace)
    assert set(visiongen.__all__) <= set(namespace)


def test_all_errors_are_public_and_of_one_family():
    found = {name for name, thing in vars(errors).items() if inspect.isclass(thing)}
    assert found <= set(visiongen.__all__)
    for name in found:
        assert issubclass(getattr(visiongen, name), visiongen.VisionGenError)
        assert name in errors.__doc__, "the tree in the docstring names every error"


def test_the_types_that_stages_exchange_are_public():
    exchanged = {"Portrait", "MotionTrack", "LandmarkTrack", "DrivingClip", "FrameBatch", "Animation", "Provenance"}
    assert exchanged <= set(visiongen.__all__)
    assert exchanged <= set(vars(datatypes))


@pytest.mark.parametrize("name", ["animate", "prepare_portrait", "extract_motion", "fit_motion", "render"])
def test_entry_points_are_annotated_and_mostly_keyword_only(name):
    signature = inspect.signature(getattr(visiongen, name))
    assert signature.return_annotation is not inspect.Signature.empty
    positional = [p for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    assert len(positional) <= 3
    assert {p.name for p in positional} <= {"portrait", "driving", "motion", "out", "picture", "settings"}
