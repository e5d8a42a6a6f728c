"""The verbs as they are declared: what each takes, what is loaded for it, how slips are answered."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import click
import pytest

from builder.cli.application import VERBS, app
from builder.dataset import files, shapes
from tests.projects import run, write


def verb(name: str) -> click.Command:
    found = app.get_command(click.Context(app), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_takes_what_its_words_give(name: str) -> None:
    given = {one.name for one in verb(name).params if one.expose_value}
    callback = verb(name).callback
    assert callback is not None
    assert given == set(inspect.signature(callback).parameters)


@pytest.mark.parametrize("name", VERBS)
def test_every_word_of_a_verb_is_explained(name: str) -> None:
    assert all(parameter.help for parameter in verb(name).params)
    assert (verb(name).name, verb(name).help) == (name, VERBS[name])


def test_the_choices_are_those_of_an_export() -> None:
    choices = {one.name: getattr(one.type, "choices", None) for one in verb("export").params}
    assert choices["format"] == get_args(files.Format)
    assert choices["shape"] == get_args(shapes.Name)


@pytest.mark.parametrize("name", VERBS)
def test_the_help_of_a_verb_loads_its_module_alone(tmp_path: Path, name: str) -> None:
    code = (
        f"import sys\nfrom builder import cli\nsys.argv = ['builder', {name!r}, '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert loaded & {f"builder.cli.{verb}" for verb in VERBS} == {f"builder.cli.{name}"}
    assert not loaded & {"numpy", "pydantic", "jinja2", "builder.plan", "builder.dataset"}


@pytest.mark.parametrize(
    ("words", "where", "said"),
    [
        ("pln", "", "no such command 'pln'. Did you mean 'plan'?"),
        ("zzz", "", "no such command 'zzz'."),
        ("a\x07b", "", r"no such command 'a\x07b'."),
        ("--versio", "", "no such option: --versio. Did you mean '--version'?"),
        ("--rows 3 plan", "", "no such option: --rows."),
        ("plan --modle x", " plan", "no such option: --modle. Did you mean '--model'?"),
        ("plan -x", " plan", "no such option: -x."),
        ("plan --a\x07b", " plan", r"no such option: --a\x07b."),
        ("plan --rows x", " plan", "invalid value for '--rows': 'x' is not a valid whole number."),
        ("plan --rows 0", " plan", "invalid value for '--rows': 0 is not in the range x>=1."),
        ("run --tries 101", " run", "invalid value for '--tries': 101 is not in the range 1<=x<=100."),
        (
            "run --format xml",
            " run",
            "invalid value for '--format': 'xml' is not one of 'parquet', 'jsonl', 'csv'.",
        ),
        ("plan --rows", "", "option '--rows' requires an argument."),
        ("plan --quiet=1", "", "option '--quiet' does not take a value."),
        ("draw", " draw", "missing argument 'NAME'."),
        ("show a b", " show", "got unexpected extra argument (b)."),
    ],
)  # fmt: skip
def test_a_slip_is_answered_with_where_help_is(
    tmp_path: Path, words: str, where: str, said: str
) -> None:
    ran = run(tmp_path, *words.split(" "))
    assert (ran.code, ran.out) == (2, "")
    assert (
        ran.err == f"error: builder{where}: {said}\n  `builder{where} --help` lists what there is\n"
    )


def test_a_question_leaves_stdout_to_the_results(tmp_path: Path) -> None:
    settings = (
        '[tool.builder]\nmodel = "mine:one"\nconfirm_above = "0.0001usd"\n'
        '[tool.builder.providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\n'
        "params = {max_tokens = 60}\nusd_per_million = {input = 100.0, output = 200.0}\n"
    )
    write(tmp_path, {"pyproject.toml": settings})
    person, terminal = os.openpty()
    try:
        os.write(person, b"n\n")
        done = subprocess.run(
            [sys.executable, "-m", "builder", "run"],
            cwd=tmp_path,
            stdin=terminal,
            stderr=terminal,
            stdout=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        shown = os.read(person, 65536).decode()
    finally:
        os.close(person)
        os.close(terminal)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "go on? [y/N]: " in shown
    assert "error: not run: nothing was asked" in shown
