"""What a card says of one dataset, from manifests that are written out here."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from builder.dataset import card
from builder.dataset.history import Change, Release
from builder.dataset.sections import Facts
from tests import bare


def rendered(**fields: Any) -> str:
    return card.render([Facts(bare.manifest(**fields))])


def head(*datasets: Facts) -> dict[str, Any]:
    """The metadata that the Hub reads."""
    metadata: dict[str, Any] = yaml.safe_load(card.render(datasets).split("---\n")[1])
    return metadata


def test_a_dataset_without_a_title_goes_by_its_name() -> None:
    assert "\n# some letters\n" in rendered()
    assert Facts(bare.manifest()).title == "some letters"
    settings: dict[str, Any] = {
        "title": "A",
        "about": None,
        "languages": [],
        "license": None,
        "tasks": [],
    }
    assert Facts(bare.manifest(card=settings)).title == "A"


@pytest.mark.parametrize(("scenarios", "word"), [(1, "1 scenario:"), (2, "2 scenarios:")])
def test_what_nobody_described_is_described_by_its_counts(scenarios: int, word: str) -> None:
    every = {f"s{number}": bare.counts() for number in range(scenarios)}
    assert f"1,234 rows of synthetic text from {word}" in rendered(rows=1234, scenarios=every)


def test_a_scenario_has_its_share_and_what_it_lacks() -> None:
    counts = bare.counts(about="x", accepted=30, answers=50, rejects=20, short_rows=3, open=2)
    text = rendered(rows=40, scenarios={"a": counts})
    assert "| a | x | 30 | 75.0% | 50 | 20 | 5 |" in text
    assert "- calls answered: 50, of which 20 were rejected" in text
    assert "5 planned rows are missing" in text
    assert "Answers that the schema refused are left out" in text
    whole = rendered(rows=40, scenarios={"a": bare.counts(accepted=40, answers=40)})
    assert "planned rows are missing" not in whole
    assert "the schema refused are left out" not in whole


def test_a_split_has_the_bytes_of_its_files_alone() -> None:
    files = {
        "data/train-00000-of-00001-a-00000.parquet": {"bytes": 10, "sha256": "", "unpacked": 25},
        "data/train-00000-of-00001-b-00000.parquet": {"bytes": 5, "sha256": "", "unpacked": 7},
        "data/train.hard-00000-of-00001-a-00000.parquet": {"bytes": 100, "sha256": "", "unpacked": 1},
        "data/test-00000-of-00001-a-00000.jsonl": {"bytes": 50, "sha256": ""},
        "rejects.jsonl": {"bytes": 1000, "sha256": ""},
    }  # fmt: skip
    facts = Facts(bare.manifest(files=files, splits={"train": 2, "test": 1}))
    assert facts.sizes("train") == (15, 32)
    assert facts.sizes("test") == (50, 50)
    assert "| train | 2 | 15 | 32 |" in card.render([facts])
    (info,) = head(facts)["dataset_info"]
    assert (info["download_size"], info["dataset_size"]) == (65, 82)
    assert info["splits"][0] == {"name": "train", "num_bytes": 32, "num_examples": 2}


@pytest.mark.parametrize(
    ("usd", "unpriced", "answers", "expected"),
    [
        (0.5, 0, 10, "0.5000 usd"),
        (0.5, 3, 10, "0.5000 usd, and 3 answers of unknown price"),
        (0.0, 10, 10, "unknown"),
        (0.0, 0, 0, "–"),
    ],
)
def test_a_price_that_nobody_knows_is_no_price_of_nothing(
    usd: float, unpriced: int, answers: int, expected: str
) -> None:
    scenarios = {"a": bare.counts(answers=answers)}
    text = rendered(usd=usd, answers_without_price=unpriced, scenarios=scenarios)
    assert f"- cost: {expected}\n" in text


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-01-02T03:00:00+00:00", "2026-01-02T04:00:00+00:00", "2026-01-02"),
        ("2026-01-02T03:00:00+00:00", "2026-01-03T04:00:00+00:00", "2026-01-02 to 2026-01-03"),
        (None, None, "–"),
    ],
)
def test_dates_are_days(first: str | None, last: str | None, expected: str) -> None:
    text = rendered(first_answer=first, last_answer=last)
    assert f"- dates: {expected}\n" in text
    assert ("year = {2026}" in text) is bool(last)


def test_the_twelve_most_frequent_values_of_an_axis_have_a_share() -> None:
    values = {f"v{number:02}": 5 for number in range(13)}
    text = rendered(axes={"n": {"values": values, "other": 35, "distinct": 20}})
    assert "| n | 20 | v00 5.0%, " in text
    assert "v11 5.0%, others 40.0% |" in text
    assert "v12" not in text.partition("## Axes")[2]
    few = rendered(axes={"n": {"values": {"a": 3, "b": 1}, "other": 0, "distinct": 2}})
    assert "| n | 2 | a 75.0%, b 25.0% |" in few
    assert "## Axes" not in rendered()


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ({"dtype": "string"}, "string"),
        ({"list": "string"}, "list of string"),
        ({"list": {"list": "int64"}}, "list of list of int64"),
        ({"list": [{"name": "a", "dtype": "string"}]}, r"list of {a: string}"),
        ({"struct": [{"name": "a", "list": "bool"}]}, "{a: list of bool}"),
        ({"dtype": {"class_label": {"names": {"0": "bad", "1": "good"}}}}, "class: 0 bad, 1 good"),
    ],
)
def test_a_columns_type_is_told_in_words(feature: dict[str, Any], expected: str) -> None:
    text = rendered(features=[{"name": "x", **feature}], origins={"x": "an axis"})
    shown = expected.replace("{", r"\{").replace("}", r"\}")
    assert f"| x | {shown} | an axis |" in text
    assert "| the answer |" in rendered(features=[{"name": "x", **feature}])


def test_own_columns_say_what_they_are() -> None:
    text = rendered(features=[{"name": "_key", "dtype": "string"}])
    assert "the content address of the request and its answer" in text


def test_releases_stand_with_their_changes_the_last_first() -> None:
    def release(number: int, **changes: Change) -> Release:
        return Release(tag=f"v{number}", date="", rows=number, changes=changes)

    releases = [release(0)] + [release(n, a=Change(added=n), b=Change()) for n in range(1, 21)]
    text = card.render([Facts(bare.manifest(), None, releases)])
    assert "| v20 | – | 20 | 20 | 0 | 0 | a: 20 added |" in text
    assert text.index("| v20 |") < text.index("| v1 |")
    assert "| v0 |" not in text
    first = card.render([Facts(bare.manifest(), None, [release(0)])])
    assert "| v0 | – | 0 |  |  |  | the first release |" in first
    none = release(3, a=Change())
    assert "| 0 | 0 | 0 | no row |" in card.render([Facts(bare.manifest(), None, [none])])
    both = release(4, a=Change(added=1, removed=2, changed=3), b=Change(removed=1))
    text = card.render([Facts(bare.manifest(), None, [both])])
    assert "| 1 | 3 | 3 | a: 1 added, 2 removed, 3 changed; b: 1 removed |" in text


def test_limits_are_told_where_they_hold() -> None:
    text = rendered(answered_by=["one"])
    assert "One model wrote all of it" in text
    assert "No licence was given" in text
    assert "were not measured" in text
    settings: dict[str, Any] = {
        "title": None,
        "about": None,
        "languages": [],
        "license": "mit",
        "tasks": [],
    }
    other = rendered(answered_by=["one", "two"], card=settings)
    assert "One model wrote all of it" not in other
    assert "No licence was given" not in other


def test_what_makes_it_again_names_scenarios_and_dataset() -> None:
    text = rendered(scenarios={"a": bare.counts(), "b": bare.counts()})
    assert "builder run a b\nbuilder export some_letters\n" in text
    assert "@misc{some_letters,\n" in text


def test_reasons_of_rejects_are_counted_and_cut() -> None:
    reasons = [{"stage": "parse", "reason": "r" * 300, "count": 1234}]
    assert f"   1,234 × parse: {'r' * 200}\n" in rendered(reject_reasons=reasons)
    assert "Why answers were rejected" not in rendered()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (9999, "1K<n<10K"), (10_000, "10K<n<100K"),
        (10**7, "10M<n<100M"), (10**8, "n>100M"),
    ],
)  # fmt: skip
def test_the_hub_is_told_how_large_it_is(rows: int, expected: str) -> None:
    assert head(Facts(bare.manifest(rows=rows)))["size_categories"] == [expected]


def test_the_hub_is_told_what_it_is_for() -> None:
    assert head(Facts(bare.manifest()))["task_categories"] == ["text-generation"]
    label = head(Facts(bare.manifest(shape="text-label")))
    assert label["task_categories"] == ["text-classification"]
    assert label["tags"] == ["synthetic", "text-dataset-builder"]
    messages = head(Facts(bare.manifest(shape="messages")))
    assert messages["tags"][2:] == ["conversational", "sft"]
    settings: dict[str, Any] = {
        "title": None,
        "about": None,
        "languages": ["en"],
        "license": "mit",
        "tasks": ["x"],
    }
    own = head(Facts(bare.manifest(card=settings)))
    assert own["task_categories"] == ["x"]
    assert own["license"] == "mit"
    assert own["multilinguality"] == ["monolingual"]


def test_several_datasets_are_configs_and_the_first_is_the_default() -> None:
    settings: dict[str, Any] = {
        "title": None,
        "about": None,
        "languages": ["en"],
        "license": "mit",
        "tasks": [],
    }
    other = {"title": "B!", "about": None, "languages": ["zh"], "license": "cc0-1.0", "tasks": []}
    first = Facts(bare.manifest(card=settings, splits={"train": 1}), prefix="a/", repository="o/r")
    second = Facts(bare.manifest(dataset="b", card=other, rows=5), prefix="b/", repository="o/r")
    metadata = head(first, second)
    assert metadata["configs"] == [
        {
            "config_name": "some_letters",
            "default": True,
            "data_files": [{"split": "train", "path": "a/data/train-*"}],
        },
        {"config_name": "b", "data_files": []},
    ]
    assert metadata["license"] == ["cc0-1.0", "mit"]
    assert metadata["multilinguality"] == ["multilingual"]
    assert metadata["pretty_name"] == "some letters and B!"
    text = card.render([first, second])
    assert "| [B!](#b) | `b` | 5 |" in text
    assert "[some letters](#some-letters)" in text
    assert 'load_dataset("o/r", "b")' in text
    assert "url = {https://huggingface.co/datasets/o/r}" in text
    assert "author = {o}" in text
