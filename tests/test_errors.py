"""Errors: one message with its place and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder import errors
from builder.errors import InputError, Place, TransportError


def test_a_place_is_as_editors_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a.yaml"
    assert str(Place(file, 3, 4)) == "a.yaml:3:4"
    assert str(Place(file, 3)) == "a.yaml:3:1"
    assert str(Place(file)) == "a.yaml:1:1"
    assert str(Place(Path("/elsewhere/b.yaml"), 3, 4)) == "/elsewhere/b.yaml:3:4"


def test_an_error_says_where_what_and_what_next() -> None:
    place = Place(Path("a.yaml"), 2, 1)
    assert str(InputError("wrong", place=place, hint="right")) == "a.yaml:2:1: wrong\n  right"
    assert str(InputError("wrong")) == "wrong"


def test_errors_are_combined_and_one_that_two_share_is_said_once() -> None:
    first, second = InputError("a", place=Place(Path("a.yaml"), 2, 1)), InputError("b")
    assert errors.combine([first]) is first
    assert str(errors.combine([first, second])) == "a.yaml:2:1: a\nb"
    assert errors.combine([second, InputError("b")]).message == "b"


def test_the_nearest_word_is_offered_where_one_is_near() -> None:
    assert errors.nearest("promt", ["schema", "prompt"]) == " Did you mean 'prompt'?"
    assert errors.nearest("xyz", ["schema", "prompt"]) == ""


def test_trouble_carries_what_is_known_of_it() -> None:
    trouble = TransportError("slow", after=2.0, limited=True, at_most=3)
    assert (trouble.after, trouble.limited, trouble.at_most) == (2.0, True, 3)
    assert (trouble.late, trouble.free, trouble.absent) == (False, False, False)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InputError, 2),
        (errors.GateError, 1),
        (errors.BusyError, 4),
        (errors.StoreError, 75),
        (errors.RefusedError, 75),
        (errors.HubError, 75),
        (TransportError, 75),
        (errors.ProviderError, 75),
    ],
)
def test_a_kind_of_error_has_its_exit_code(kind: type[errors.BuilderError], code: int) -> None:
    assert kind("x").exit_code == code
