"""Splits: every label in each by its share, no text on both sides, and no row that moves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import builder
from builder.quality import findings, gates, labels
from builder.quality.findings import Context, Finding
from builder.records import Call
from builder.results.splits import Sides
from builder.table import frame
from builder.verbs import check
from tests import projects

INTENTS = ("spam", "delivery", "reminder", "family", "bank", "other")
SPLITS = {"train": 0.8, "test": 0.2}
SETTINGS = """\
[tool.builder]
model = "fake:any"
[tool.builder.datasets.letter]
splits = {train = 0.8, test = 0.2}
"""
PROMPT = "Write a text message. Kind: {{ intent }}.\n"


def unlike(call: Call) -> str:
    """Another text for every call."""
    return json.dumps({"text": f"message {call.key}"[:80]})


def workspace(folder: Path, scenario: str, settings: str = SETTINGS) -> builder.Workspace:
    files = {
        "pyproject.toml": settings,
        "prompts/letters.j2": PROMPT,
        "scenarios/letters.yaml": f"schema: Letter\n{scenario}",
    }
    return builder.open(projects.write(folder, files))


def intents(each: int, names: tuple[str, ...] = INTENTS) -> str:
    return f"rows: {each} each\nvary:\n  intent: [{', '.join(names)}]\n"


def dealt(site: builder.Workspace) -> dict[str, tuple[str, dict[str, Any]]]:
    """Case to split and row, as the folder holds them."""
    rows = {}
    for file in sorted((site.root / "outputs/letter/data").glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            rows[row["_case"]] = (file.name.split("-")[0], row)
    return rows


def filled(site: builder.Workspace) -> dict[str, tuple[str, dict[str, Any]]]:
    site.run(format="jsonl", engine=builder.Fake(unlike))
    return dealt(site)


def finding(site: builder.Workspace) -> Finding:
    (judged,) = [f for f in site.check() if f.gate == "labels.splits" and f.what == "intent"]
    return judged


def test_labels_without_draws_stand_in_every_split_by_their_share(tmp_path: Path) -> None:
    site = workspace(tmp_path, intents(50))
    rows = filled(site)
    counts = Counter((row["intent"], split) for split, row in rows.values())
    for intent in INTENTS:
        assert counts[intent, "train"] + counts[intent, "test"] == 50
        assert abs(counts[intent, "test"] - 10) <= 3
    assert finding(site).verdict == "pass"
    manifest = json.loads((tmp_path / "outputs/letter/manifest.json").read_text("utf-8"))
    assert manifest["splits_by"] == 2


def test_no_row_moves_when_others_come_or_a_prompt_is_edited(tmp_path: Path) -> None:
    before = filled(workspace(tmp_path, intents(10)))
    grown = filled(workspace(tmp_path, intents(25, (*INTENTS, "news"))))
    assert set(before) < set(grown)
    assert all(grown[case][0] == split for case, (split, _) in before.items())
    edited = workspace(tmp_path, intents(25, (*INTENTS, "news")))
    (tmp_path / "prompts/letters.j2").write_text(PROMPT.replace("Write", "Give me"), "utf-8")
    after = filled(edited)
    assert {c: s for c, (s, _) in after.items()} == {c: s for c, (s, _) in grown.items()}


def test_a_dataset_of_another_name_is_dealt_alike(tmp_path: Path) -> None:
    first = filled(workspace(tmp_path / "a", intents(10)))
    other = workspace(
        tmp_path / "b", f"dataset: letter2\n{intents(10)}", SETTINGS.replace("letter]", "letter2]")
    )
    other.run(format="jsonl", engine=builder.Fake(unlike))
    (tmp_path / "b/outputs/letter2").rename(tmp_path / "b/outputs/letter")
    second = dealt(other)
    assert {c: s for c, (s, _) in first.items()} == {c: s for c, (s, _) in second.items()}


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1, 0.05])
def test_a_combination_has_its_share_to_within_three_rows(share: float) -> None:
    from builder.records import Case, Key, Row

    sides = Sides({"train": 1 - share, "test": share})
    for name in range(40):
        count = 0
        for occurrence in range(2000):
            case = Case("s", {"a": name}, occurrence, {}, {})
            count += sides.split(Row(case, Key(bytes(16), 0, 0), "", {})) == "test"
            assert abs(count - (occurrence + 1) * share) <= 3


def test_rows_that_agree_in_a_column_stay_together(tmp_path: Path) -> None:
    questions = ", ".join(f"question {n}" for n in range(60))
    scenario = f"rows: 2 each\nvary:\n  intent: [good, bad]\n  question: [{questions}]\n"
    settings = SETTINGS + 'together = ["question"]\n'
    site = workspace(tmp_path, scenario, settings)
    (tmp_path / "prompts/letters.j2").write_text(PROMPT + "{{ question }}\n", "utf-8")
    rows = filled(site)
    sides: dict[str, set[str]] = {}
    for split, row in rows.values():
        sides.setdefault(row["question"], set()).add(split)
    assert len(rows) == 240
    assert all(len(side) == 1 for side in sides.values())
    assert 4 <= sum(side == {"test"} for side in sides.values()) <= 22
    assert finding(site).verdict == "pass"
    assert "question" not in {f.what for f in site.check() if f.gate == "labels.splits"}


def test_together_names_a_column_of_the_dataset(tmp_path: Path) -> None:
    site = workspace(tmp_path, intents(1), SETTINGS + 'together = ["intend"]\n')
    with pytest.raises(builder.InputError, match=r"no column 'intend'.*'intent'") as e:
        site.plan()
    assert str(e.value.place).endswith("pyproject.toml:5:1")


def test_no_text_stands_on_both_sides(tmp_path: Path) -> None:
    def few(call: Call) -> str:
        return json.dumps({"text": f"message {call.key.repeat % 7} {call.messages[0].content}"})

    site = workspace(tmp_path, intents(40))
    result = site.run(format="jsonl", engine=builder.Fake(few))
    rows = dealt(site)
    texts = [row["text"] for _, row in rows.values()]
    assert len(texts) == len(set(texts)) == 6 * 7
    assert result.rows == result.exports[0].rows == 42
    lines = (tmp_path / "outputs/letter/rejects.jsonl").read_text("utf-8").splitlines()
    rejects = [json.loads(line) for line in lines]
    assert Counter(reject["stage"] for reject in rejects) == {"similar": 240 - 42}
    assert "word for word" in rejects[0]["reason"]
    assert site.run(format="jsonl").progress.calls == 0
    assert {row["_case"] for row in site.show()} == set(rows)
    assert [checked.evidence.rows.rows for checked in site.check().datasets] == [42]


def test_equal_texts_stay_where_nothing_is_split(tmp_path: Path) -> None:
    site = workspace(tmp_path, intents(4), '[tool.builder]\nmodel = "fake:any"\n')
    result = site.run(engine=builder.Fake(lambda call: '{"text": "the same"}'))
    assert result.exports[0].rows == 24


def judged(
    values: list[str], splits: list[str], expect: Mapping[str, float] | None = None
) -> Finding:
    rows = frame.build({"label": values, "_split": splits})
    context = Context(splits=SPLITS)
    wanted = [{"labels": dict(expect)}] if expect else []
    evidence = findings.Evidence(rows, None, context)
    found = gates.judge(evidence, findings.limits_of(*wanted), [labels.Labels()])
    (one,) = [f for f in found if f.gate == "labels.splits"]
    return one


def test_a_label_that_a_split_lacks_fails() -> None:
    values = ["a"] * 100 + ["b"] * 50
    splits = ["train"] * 80 + ["test"] * 20 + ["train"] * 50
    missing = judged(values, splits)
    assert (missing.verdict, missing.value, missing.limit) == ("fail", 1.0, 0.5)
    assert missing.advice == "split 'test' has 0 rows of 'b', its share is 10"
    assert judged(values, splits, {"splits": 1.0}).verdict == "pass"


def test_a_label_of_few_rows_that_a_split_lacks_warns_and_one_of_none_is_no_matter() -> None:
    whole = ["a"] * 100
    sides = ["train"] * 80 + ["test"] * 20
    assert judged([*whole, *["b"] * 8], [*sides, *["train"] * 8]).verdict == "warn"
    assert judged([*whole, *["b"] * 4], [*sides, *["train"] * 4]).verdict == "pass"


def test_shares_that_clearly_differ_fail_and_those_of_chance_pass() -> None:
    values = ["a"] * 200
    assert judged(values, ["train"] * 190 + ["test"] * 10).verdict == "fail"
    assert judged(values, ["train"] * 175 + ["test"] * 25).verdict == "pass"
    assert judged(["a"] * 20, ["train"] * 19 + ["test"]).verdict == "pass"
    assert judged(values, ["train"] * 170 + ["test"] * 30, {"splits": 0.1}).verdict == "pass"
    assert judged(values * 4, (["train"] * 175 + ["test"] * 25) * 4, {"splits": 0.1}).verdict == "fail"  # fmt: skip


def test_a_swap_of_all_sides_fails() -> None:
    assert judged(["a"] * 100, ["test"] * 80 + ["train"] * 20).verdict == "fail"


@pytest.mark.parametrize("each", [1, 2, 3, 5, 10, 30])
def test_what_the_rule_deals_raises_no_alarm(each: int, tmp_path: Path) -> None:
    for number in range(12):
        folder = tmp_path / str(number)
        settings = SETTINGS.replace(
            "train = 0.8, test = 0.2", "train = 0.9, val = 0.05, test = 0.05"
        )
        names = tuple(f"{intent}{number}" for intent in INTENTS)
        site = workspace(folder, intents(each, names), settings)
        site.run(export=False, engine=builder.Fake(unlike))
        assert finding(site).verdict != "fail"


def of_path(path: Path) -> dict[str, Finding]:
    """The verdicts on the splits of anybody's rows, by column."""
    return {f.what: f for f in check.check(path.parent, path) if f.gate == "labels.splits"}


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def mails(label: Any, count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"text": f"mail {n} about {label} to whom", "kind": label, **more} for n in range(count)
    ]


@pytest.mark.parametrize(
    ("train", "test"),
    [("train.jsonl", "test.jsonl"), ("data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl"),
     ("mails_training.jsonl", "mails_eval.jsonl")],
)  # fmt: skip
@pytest.mark.parametrize(("one", "other"), [("spam", "ham"), (0, 1), (True, False)])
def test_a_label_that_a_file_of_anybodys_folder_lacks_fails(
    tmp_path: Path, train: str, test: str, one: Any, other: Any
) -> None:
    folder = tmp_path / "theirs"
    lines(folder / train, [*mails(one, 80), *mails(other, 80)])
    lines(folder / test, mails(one, 40))
    found = of_path(folder)["kind"]
    split = "test" if "test" in test else "eval"
    assert (found.verdict, found.value) == ("fail", 1.0)
    assert f"split {split!r} has 0 rows of {str(other)!r}, its share is 16" in found.advice


def test_a_column_named_split_deals_the_rows_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "mails.jsonl"
    lines(path, [*mails("spam", 80, split="train"), *mails("ham", 40, split="test")])
    assert {name: found.verdict for name, found in of_path(path).items()} == {"kind": "fail"}
    lines(path, [row for kind in ("spam", "ham") for name, n in (("train", 40), ("test", 10))
                 for row in mails(kind, n, split=name)])  # fmt: skip
    assert {name: found.verdict for name, found in of_path(path).items()} == {"kind": "pass"}


def test_a_column_by_whose_many_values_rows_were_dealt_is_pointed_out_and_fails_nothing(
    tmp_path: Path,
) -> None:
    people = [f"person {n}" for n in range(50)]
    path = tmp_path / "mails.jsonl"
    lines(path, [row for n, who in enumerate(people)
                 for row in mails(who, 20, split="test" if n % 5 == 0 else "train")])  # fmt: skip
    (found,) = of_path(path).values()
    assert (found.what, found.verdict) == ("kind", "warn")
    assert "no value stands in two splits" in found.advice


def test_rows_without_several_splits_are_not_judged_by_any(tmp_path: Path) -> None:
    lines(tmp_path / "a" / "train.jsonl", [*mails("spam", 40), *mails("ham", 40)])
    lines(tmp_path / "b" / "part-1.jsonl", mails("spam", 40))
    lines(tmp_path / "b" / "part-2.jsonl", mails("ham", 40))
    lines(tmp_path / "c.jsonl", [*mails("spam", 40, split="left"), *mails("ham", 40, split="up")])
    assert not any(map(of_path, (tmp_path / "a", tmp_path / "b", tmp_path / "c.jsonl")))


def test_the_folder_of_an_export_is_judged_as_its_dataset_is(tmp_path: Path) -> None:
    site = workspace(tmp_path, intents(50))
    filled(site)
    assert of_path(tmp_path / "outputs/letter")["intent"].verdict == "pass"
