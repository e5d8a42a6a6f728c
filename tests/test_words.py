"""The words of a scenario: what each may hold, and what is said of one that means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InputError
from builder.project import documents
from builder.project.words import LATER, Rows, Words


def read(folder: Path, text: str) -> Words:
    file = folder / "x.yaml"
    file.write_text(text, "utf-8")
    return Words.read(documents.read(file))


def refusal(folder: Path, text: str) -> InputError:
    with pytest.raises(InputError) as refused:
        read(folder, text)
    return refused.value


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        (1, Rows(total=1)),
        ("5 each", Rows(each=5)),
        ({"total": 9, "least": 1}, Rows(total=9, least=1)),
        (Rows(each=2), Rows(each=2)),
    ],
)
def test_rows_are_a_total_so_many_of_each_or_both(written: object, rows: Rows) -> None:
    assert Rows.parse(written) == rows


@pytest.mark.parametrize(
    "written",
    [0, -1, True, 1.5, "5", "0 each", "5 each ", "５ each", {"total": 9}, {"total": 9, "least": 0},
     {"total": True, "least": 1}, {"total": 0, "least": 1}, {"total": 9, "least": 1, "x": 1}, None],
)  # fmt: skip
def test_other_rows_mean_nothing(written: object) -> None:
    with pytest.raises(ValueError, match="expected 200"):
        Rows.parse(written)


def test_a_scenario_of_one_word_has_defaults_for_the_others(tmp_path: Path) -> None:
    words = read(tmp_path, "schema: Letter\n")
    assert (words.schema_, words.rows, words.seed, words.tries) == ("Letter", Rows(each=1), 0, 3)
    assert (words.model, words.answer, words.vary, words.draw) == (None, "json", {}, [])


def test_a_name_is_kept_as_it_is_written(tmp_path: Path) -> None:
    words = read(tmp_path, "schema: Letter\nprompt: a-b_c\ndataset: 信\n")
    assert (words.prompt, words.dataset) == ("a-b_c", "信")


@pytest.mark.parametrize(
    ("model", "models"),
    [("fake:a", ("fake:a",)), ("[fake:a, my-lab.x:b c]", ("fake:a", "my-lab.x:b c"))],
)
def test_a_model_may_be_a_list(model: str, models: tuple[str, ...], tmp_path: Path) -> None:
    assert read(tmp_path, f"schema: Letter\nmodel: {model}\n").model == models


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("- a\n", "1:1", "expected the words of a scenario, found a list", "at least `schema: Class`"),
        ("", "1:1", "expected the words of a scenario, found nothing", "at least `schema: Class`"),
        ("schema：Letter\n", "1:7", "found 'schema：Letter'", "a full-width '：' stands here; YAML wants ': '"),
        ("rows: 5\n", "1:1", "the word 'schema' is missing", "e.g. schema: SupportMessage"),
        ("schema: A\nsed: 1\n", "2:1", "unknown word 'sed'. Did you mean 'seed'?", "words: prompt, schema, dataset, "),
        ("schema: A\nmodel: gpt-5-mini\n", "2:8", "expected provider:model", "write openai:gpt-5-mini"),
        ("schema: A\nmodel: [fake:a, fake:a]\n", "2:8", "expected models, each once", ""),
        ("schema: A\nmodel: []\n", "2:8", "expected models, each once", ""),
        ("schema: A\nprompt: a.j2\n", "2:9", "not beginning with -, without its ending, found 'a.j2'", ""),
        ("schema: A\nprompt: a b\n", "2:9", "at most 64, not beginning with -, found 'a b'", ""),
        ("schema: A\ntries: 0\n", "2:8", "tries: expected at least 1, found 0", ""),
        ("schema: A\ntries: 21\n", "2:8", "tries: expected at most 20, found 21", ""),
        ("schema: A\nseed: x\n", "2:7", "seed: expected a whole number, found 'x'", ""),
        ("schema: A\nsimilarity_below: x\n", "2:19", "similarity_below: expected a number, found 'x'", ""),
        ("schema: A\nsimilarity_below: 0\n", "2:19", "similarity_below: expected more than 0, found 0", ""),
        ("schema: A\nvary: 3\n", "2:7", "vary: expected a mapping (key: value), found 3", ""),
        ("schema: A\nkeep: x\n", "2:7", "keep: expected a list, found 'x'", ""),
        ("schema: A\nanswer: yaml\n", "2:9", "answer: expected 'json' or 'text', found 'yaml'", ""),
        ("schema: A\nrows: ５\n", "2:7", "found '５'", "full-width signs stand here; write 5"),
        ("schema: A\nexpect: {drift: {kss: 1}}\n", "2:18", "measures no 'kss'. Did you mean 'ks'?", ""),
    ],
)  # fmt: skip
def test_a_wrong_word_is_named_with_its_place(
    text: str, place: str, message: str, hint: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, text)
    assert error.place is not None
    assert f"{error.place.line}:{error.place.column}" == place
    assert message in error.message
    assert error.hint.startswith(hint)


@pytest.mark.parametrize("word", LATER)
def test_a_word_for_later_is_refused_as_such(word: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f"schema: A\n{word}: x\n")
    assert error.message == f"{word!r} is not supported yet: {LATER[word]}"


def test_all_wrong_words_are_named_at_once(tmp_path: Path) -> None:
    for text in ("schema: A\nsed: 1\ntries: 0\n", "schema: A\nexpect: {drift: {a: 1, b: 2}}\n"):
        error = refusal(tmp_path, text)
        assert len(error.message.split("\n")) >= 2
        assert error.message.count("x.yaml:2:") >= 1
