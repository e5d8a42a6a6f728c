"""What the command line says to whoever asks for help, in each of the usual ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.cli import application
from builder.engines import params
from tests import projects


@pytest.mark.parametrize("words", [("-h",), ("--help",), ("help",)])
def test_help_is_had_in_each_of_the_usual_ways(words: tuple[str, ...], tmp_path: Path) -> None:
    ran = projects.run(tmp_path, *words)
    assert ran.code == 0
    assert "Usage: builder" in ran.out
    assert all(verb in ran.out for verb in application.VERBS)


@pytest.mark.parametrize("verb", application.VERBS)
def test_each_verb_ends_its_help_with_an_example_of_itself(verb: str, tmp_path: Path) -> None:
    pages = {projects.run(tmp_path, *words).out for words in ((verb, "-h"), ("help", verb))}
    (page,) = pages
    assert page.splitlines()[-1].startswith(f"  builder {verb} ")


def test_the_version_is_one_letter_away(tmp_path: Path) -> None:
    assert projects.run(tmp_path, "-V").out == projects.run(tmp_path, "--version").out != ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("extra_body", "write its contents straight into params"),
        ("guided_json", "the schema is sent as response_format by itself"),
        ("guided_regex", "write structured_outputs: {regex: …}"),
        ("response_format", "set by the engine itself"),
    ],
)
def test_a_param_that_belongs_elsewhere_is_answered_by_where(name: str, words: str) -> None:
    (line,) = params.problems("vllm", {name: {}}, params.OPENAI, extras=True)
    assert words in line
