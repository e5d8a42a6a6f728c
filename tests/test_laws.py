"""Laws of the plan: a pure function of the files, undisturbed by edits elsewhere, its keys frozen.

Whoever changes one of these changes what people have paid for.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.plan import requests
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import Overrides
from builder.project.settings import Project
from builder.project.words import Rows
from builder.records import Key, Message, Request
from tests import frozen, projects

ORDERS = (
    "city,amount,waited,rating\nBeijing,10,1,3.5\nRome,20,2,\nBeijing,30,3,4.0\nRome,5,9,1.25\n"
)
SCENARIO = """\
schema: Letter
rows: 40
seed: 11
given:
  role: 客服主管,语气克制
  rules: {first: be kind, second: be brief}
vary:
  tone: {glad: 3, sad: 1}
  city: [Beijing, Rome]
  count: [1, 2]
draw:
  - patience: {uniform: [0, 1], round: 3}
  - bootstrap: {table: tables/orders.csv, columns: [amount, waited], by: city}
  - examples: {table: tables/orders.csv, columns: [rating], n: 2}
keep:
  - not (tone == 'sad' and count == 2)
  - patience * 10 <= amount
params: {temperature: 0.5, max_tokens: 99}
"""
PROMPT = """\
{% system %}
{{ role }}. {{ rules.first }}, {{ rules.second }}.
{% endsystem %}
{% user %}
{% include "ask.j2" %}
{{ amount }} after {{ waited }} days, patience {{ patience }}. {% for shot in shots %}{{ shot.rating }} {% endfor %}
{% enduser %}
"""
SCHEMA = '''\
"""Letters."""

from pydantic import BaseModel, Field, field_validator


class Letter(BaseModel):
    """One letter."""

    subject: str = Field(min_length=5, max_length=30)
    text: str = Field(min_length=5, max_length=80, description="what is said")

    @field_validator("text")
    @classmethod
    def polite(cls, text: str) -> str:
        assert "damn" not in text, "be polite"
        return text
'''
SETTINGS = """\
[tool.builder]
model = "fake:any"

[tool.builder.datasets.letter]
splits = {train = 0.6, validation = 0.2, test = 0.2}
"""
FILES: Mapping[str, str] = {
    "pyproject.toml": SETTINGS,
    "scenarios/letters.yaml": SCENARIO,
    "scenarios/notes.yaml": "schema: Letter\nprompt: notes\nrows: 2 each\nunused: [mood]\n"
    "vary:\n  tone: [glad, sad]\n  mood: [calm, wild]\n",
    "scenarios/tables/orders.csv": ORDERS,
    "prompts/letters.j2": PROMPT,
    "prompts/ask.j2": "Write a {{ tone }} letter from {{ city }} about {{ count }} things.",
    "prompts/notes.j2": "Write a {{ tone }} note.",
    "schemas/letters.py": SCHEMA,
}


def written(folder: Path, **changed: tuple[str, str]) -> Path:
    """The project with one text put for another in the files that are named (`prompts/ask.j2` as
    prompts_ask)."""
    files = dict(FILES)
    for name, (old, new) in changed.items():
        path = next(p for p in files if p.replace("/", "_").split(".")[0] == name)
        assert old in files[path]
        files[path] = files[path].replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    return projects.write(folder, files)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return written(tmp_path / "base")


@pytest.fixture
def plain(base: Path) -> dict[str, dict[str, Any]]:
    return projects.keys(base, levels=2)


@pytest.mark.parametrize(
    "changed",
    [
        {"scenarios_letters": ("seed: 11\n", "# 种子\nseed: 11   # eleven\n\n")},
        {"scenarios_letters": ("rows: 40\nseed: 11\n", "seed: 11\nrows: 40\n")},
        {"scenarios_letters": ("  city: [Beijing, Rome]\n  count: [1, 2]\n", "  count: [1, 2]\n  city: [Beijing, Rome]\n")},
        {"scenarios_letters": ("{temperature: 0.5, max_tokens: 99}", "{max_tokens: 99, temperature: 0.5}")},
        {"scenarios_letters": ("city: [Beijing, Rome]", "city: [Rome, Beijing]")},
        {"scenarios_letters": ("city: [Beijing, Rome]", "city:\n  - Beijing\n  - 'Rome'\n")},
        {"scenarios_letters": ("{glad: 3, sad: 1}", "{glad: {weight: 3}, sad: {weight: 1}}")},
        {"scenarios_letters": ("{glad: 3, sad: 1}", "{glad: 6, sad: 2}")},
        {"scenarios_letters": ("by: city", "by: {city: city}")},
        {"scenarios_letters": ("schema: Letter", "schema: letters:Letter\ndataset: letter\nprompt: letters\ntries: 9")},
        {"scenarios_tables_orders": ("\n", "\r\n")},
        {"scenarios_tables_orders": ("Beijing,10,1,3.5", '"Beijing", 10 ,1,3.50')},
        {"prompts_letters": ("{{ role }}", "{# who #}{{role}}")},
        {"prompts_letters": ('{% include "ask.j2" %}\n', FILES["prompts/ask.j2"])},
        {"schemas_letters": ('"""Letters."""', "# letters\nimport math")},
        {"schemas_letters": ('"damn" not in text', "text and len(text) < 70")},
        {"schemas_letters": ('"be polite"', '"be more polite"')},
        {"pyproject": ('model = "fake:any"', 'model = "fake:any"\nconcurrency = 3\nbudget = "1usd"')},
        {"pyproject": ("train = 0.6", "train = 0.5, extra = 0.1")},
        {"pyproject": ("[tool.builder.datasets", '[tool.builder.providers.fake]\nlatency = 0\ntimeout = 3\nbase_url = "http://localhost:1"\nstructured = "prompt"\n[tool.builder.datasets')},
    ],
    ids=str,
)  # fmt: skip
def test_an_edit_that_asks_for_nothing_else_changes_no_key(
    changed: dict[str, tuple[str, str]], plain: dict[str, Any], tmp_path: Path
) -> None:
    found = projects.keys(written(tmp_path / "edited", **changed), levels=2)
    assert found.keys() == plain.keys()
    assert [case["case"] for case in found.values()] == [case["case"] for case in plain.values()]


def test_line_ends_marks_times_and_folder_change_no_key(
    plain: dict[str, Any], tmp_path: Path
) -> None:
    folder = written(tmp_path / "某处" / "else where")
    for path in sorted(folder.rglob("*.*"), reverse=True):
        content = path.read_bytes().replace(b"\n", b"\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + content)
        os.utime(path, (1, 1))
    assert projects.keys(folder, levels=2) == plain


def test_another_process_finds_the_same_keys_whatever_its_hash_seed_and_locale(
    base: Path, plain: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("outputs"))
    for surroundings in (
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Shanghai"},
        {"PYTHONHASHSEED": "2", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "TZ": "America/New_York"},
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tests.projects", str(folder)],
            env={**os.environ, **surroundings},
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout) == json.loads(json.dumps(plain))
        assert list(json.loads(done.stdout)) == list(plain)


def test_kept_fits_change_no_key(base: Path, plain: dict[str, Any]) -> None:
    assert list((base / "outputs" / "fits").glob("*.npz"))
    assert projects.keys(base, levels=2) == plain
    for fit in (base / "outputs" / "fits").glob("*.npz"):
        fit.write_bytes(fit.read_bytes()[:50])
    assert projects.keys(base, levels=2) == plain


def differing(base: Path, folder: Path) -> tuple[set[str], set[str]]:
    """Keys that went and keys that came."""
    before, after = set(projects.keys(base)), set(projects.keys(folder))
    return before - after, after - before


@pytest.mark.parametrize(
    "changed",
    [
        {"prompts_ask": ("letter", "message")},
        {"prompts_letters": ("{{ role }}.", "{{ role }}!")},
        {"prompts_letters": ("{% user %}", "{% user %}A{% enduser %}{% assistant %}B{% endassistant %}{% user %}")},
        {"scenarios_letters": ("temperature: 0.5", "temperature: 0.6")},
        {"scenarios_letters": (", max_tokens: 99", "")},
        {"scenarios_letters": ("语气克制", "语气温和")},
        {"scenarios_letters": ("seed: 11", "model: fake:other\nseed: 11")},
        {"schemas_letters": ('"what is said"', '"what is written"')},
        {"schemas_letters": ("max_length=80", "max_length=81")},
        {"schemas_letters": ('"""One letter."""', '"""A letter."""')},
        {"schemas_letters": ("    text: str", "    more: int = 0\n    text: str")},
        {"schemas_letters": ("subject: str", "title: str")},
        {"pyproject": ('"fake:any"', '"fake:some"')},
        {"pyproject": ('"fake:any"', '"fake:any"\nparams = {top_p = 0.5}')},
        {"pyproject": ("[tool.builder.datasets", "[tool.builder.providers.fake]\nparams = {top_p = 0.5}\n[tool.builder.datasets")},
    ],
    ids=str,
)  # fmt: skip
def test_each_input_of_a_request_changes_all_its_keys(
    changed: dict[str, tuple[str, str]], base: Path, tmp_path: Path
) -> None:
    gone, come = differing(base, written(tmp_path / "edited", **changed))
    letters = sum(case["scenario"] == "letters" for case in projects.keys(base).values())
    assert len(gone) == len(come) >= letters == 40


def test_plain_text_is_asked_for_without_a_schema(tmp_path: Path) -> None:
    one_text = ("subject: str = Field(min_length=5, max_length=30)", "stars: int = 5")
    base = written(tmp_path / "json", schemas_letters=one_text)
    text = ("seed: 11", "answer: text\nseed: 11")
    edited = written(tmp_path / "text", schemas_letters=one_text, scenarios_letters=text)
    gone, come = differing(base, edited)
    assert len(gone) == len(come) == 40
    found = scenario_plan(edited)
    (planned,) = found.make(found.cases.index[:1], found.cases.occurrence[:1])
    assert planned.request.schema is None


def test_the_order_of_a_schemas_fields_is_what_the_model_sees(base: Path, tmp_path: Path) -> None:
    swapped = SCHEMA.replace("subject:", "x:").replace("text:", "subject:").replace("x:", "text:")
    folder = written(tmp_path / "edited", schemas_letters=(SCHEMA, swapped))
    gone, _ = differing(base, folder)
    assert len(gone) == len(projects.keys(base))


def test_an_edit_of_a_drawn_rows_share_touches_only_the_rows_that_drew_it(
    base: Path, tmp_path: Path
) -> None:
    folder = written(tmp_path / "edited", scenarios_tables_orders=("Rome,5,9", "Rome,6,9"))
    before, after = projects.keys(base), projects.keys(folder)
    for key in before.keys() - after.keys():
        assert before[key]["combination"]["city"] == "Rome"
    # The few-shot rows come from the whole table, the ratings of which are as they were.
    assert {k for k, case in before.items() if case["combination"].get("city") == "Beijing"} <= set(
        after
    )


def by_case(folder: Path, scenario: str = "letters") -> dict[tuple[str, int], tuple[str, Any]]:
    """The variables of each case by combination and occurrence."""
    return {
        (json.dumps(case["combination"], sort_keys=True), case["occurrence"]): (
            case["case"],
            case["variables"],
        )
        for case in projects.keys(folder).values()
        if case["scenario"] == scenario
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"scenarios_letters": ("[1, 2]", "[1, 2, 3]")},
        {"scenarios_letters": ("{glad: 3, sad: 1}", "{glad: 3, sad: 1, calm: 2}")},
        {"scenarios_letters": ("rows: 40", "rows: 55")},
        {"scenarios_letters": ("{glad: 3, sad: 1}", "{glad: 1, sad: 1}")},
        {"prompts_ask": ("letter", "message")},
    ],
    ids=str,
)
def test_a_case_that_stays_keeps_its_draws_and_its_id(
    changed: dict[str, tuple[str, str]], base: Path, tmp_path: Path
) -> None:
    before, after = by_case(base), by_case(written(tmp_path / "edited", **changed))
    same = before.keys() & after.keys()
    assert len(same) > 15
    assert all(before[case] == after[case] for case in same)


def test_a_value_added_and_taken_out_again_leaves_the_plan_as_it_was(
    base: Path, plain: dict[str, Any], tmp_path: Path
) -> None:
    each = ("rows: 40", "rows: 4 each")
    unweighted = ("{glad: 3, sad: 1}", "[glad, sad]")
    files = dict(FILES)
    for old, new in (each, unweighted):
        files["scenarios/letters.yaml"] = files["scenarios/letters.yaml"].replace(old, new)
    folder = projects.write(tmp_path / "each", files)
    before = projects.keys(folder)
    scenario = folder / "scenarios/letters.yaml"
    text = scenario.read_text("utf-8")
    scenario.write_text(text.replace("[1, 2]", "[1, 2, 3]"), "utf-8")
    grown = projects.keys(folder)
    assert before.keys() <= grown.keys()
    added = [grown[key] for key in grown.keys() - before.keys()]
    assert {case["combination"]["count"] for case in added} == {3}
    assert len(added) == 4 * 2 * 2
    scenario.write_text(text, "utf-8")
    assert projects.keys(folder) == before


def scenario_plan(folder: Path, name: str = "letters") -> ScenarioPlan:
    return next(s for s in projects.plan(folder).scenarios() if s.name == name)


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=5))
def test_cases_are_the_same_however_they_are_chunked(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "chunks"
    if not folder.exists():
        written(folder)
    found = scenario_plan(folder)
    cases = found.cases
    whole = found.make(cases.index, cases.occurrence)
    edges = [0, *sorted(cuts), len(cases)]
    parts = []
    for start, stop in itertools.pairwise(edges):
        parts += found.make(cases.index[start:stop], cases.occurrence[start:stop])
    assert [p.digest for p in parts] == [p.digest for p in whole]
    assert [p.case for p in parts] == [p.case for p in whole]


def test_a_case_alone_is_the_case_among_others(base: Path) -> None:
    found = scenario_plan(base)
    whole = found.make(found.cases.index, found.cases.occurrence)
    for row in (0, 7, 39):
        one = slice(row, row + 1)
        (alone,) = found.make(found.cases.index[one], found.cases.occurrence[one])
        assert alone == whole[row]


def test_repeats_number_equal_requests_over_all_scenarios_and_reserves(base: Path) -> None:
    (dataset,) = projects.plan(base).datasets
    levels = [[s.cases for s in dataset.scenarios], *(dataset.reserve(n) for n in range(4))]
    met: dict[bytes, int] = {}
    for level in levels:
        for cases in level:
            for key in cases.keys(0, len(cases)):
                assert key.repeat == met.get(key.digest, 0)
                met[key.digest] = key.repeat + 1
    # The moods of the notes share their requests: four planned of each and six in reserve.
    assert sorted(met.values())[-2:] == [10, 10]


def test_a_reserve_level_holds_the_next_occurrence_of_each_combination_that_may_have_one(
    base: Path,
) -> None:
    (dataset,) = projects.plan(base).datasets
    for place, scenario in enumerate(dataset.scenarios):
        planned = scenario.planned_counts()
        for level in range(6):
            cases = dataset.reserve(level)[place]
            expected = {c: n + level for c, n in planned.items() if level < max(3, n)}
            found = dict(zip(cases.index.tolist(), cases.occurrence.tolist(), strict=True))
            assert found == expected


def test_a_named_scenario_has_the_keys_that_it_has_among_all(base: Path) -> None:
    project = Project.find(base)
    whole, one = requests.plan(project), requests.plan(project, ["notes"])
    for some in (whole, one):
        assert [s.name for d in some.datasets for s in d.scenarios] == ["letters", "notes"]
    both = [
        [s.cases.keys(0, 99) for d in some.datasets for s in d.scenarios] for some in (whole, one)
    ]
    assert both[0] == both[1]
    assert [s.name for s in one.scenarios()] == ["notes"]


def test_models_share_the_cases_and_none_moves_when_another_joins(tmp_path: Path) -> None:
    two, three = (
        written(tmp_path / str(n), scenarios_letters=("seed: 11", f"model: [{models}]\nseed: 11"))
        for n, models in enumerate(["fake:a, fake:b", "fake:b, fake:a, fake:c"])
    )
    before, after = (
        {
            case["case"]: case["model"]
            for case in projects.keys(f).values()
            if case["scenario"] == "letters"
        }
        for f in (two, three)
    )
    assert set(before.values()) == {"fake:a", "fake:b"}
    moved = {case for case in before if before[case] != after[case]}
    assert all(after[case] == "fake:c" for case in moved)
    assert 5 < len(moved) < 25


def test_a_seed_gives_other_cases_and_a_row_count_more_of_the_same(
    base: Path, tmp_path: Path
) -> None:
    other = by_case(written(tmp_path / "seed", scenarios_letters=("seed: 11", "seed: 12")))
    before = by_case(base)
    draws = [
        before[c][1]["patience"] == other[c][1]["patience"] for c in before.keys() & other.keys()
    ]
    assert sum(draws) < 3
    project = Project.find(base)
    more = requests.plan(project, [], Overrides(rows=Rows(total=60)))
    letters = next(s for s in more.scenarios() if s.name == "letters")
    few = scenario_plan(base)
    assert np.array_equal(letters.cases.digests[:40], few.cases.digests)


def splits(folder: Path) -> dict[str, tuple[str, str]]:
    """Case id to split and key."""
    import datasets

    assert projects.run(folder, "run", "--quiet").code == 0
    loaded = datasets.load_dataset(str(folder / "outputs/letter"), cache_dir=str(folder / "cache"))
    return {row["_case"]: (name, row["_key"]) for name in loaded for row in loaded[name]}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_prompt_edit_moves_no_row(base: Path, tmp_path: Path) -> None:
    before = splits(base)
    assert len(before) == 48
    assert {split for split, _ in before.values()} == {"train", "validation", "test"}
    edited = written(tmp_path / "edited", prompts_ask=("letter", "message"))
    after = splits(edited)
    assert {case: split for case, (split, _) in before.items()} == {
        case: split for case, (split, _) in after.items()
    }


MESSAGES = (Message("system", "be kind"), Message("user", "write"))
ASKED = Request("fake:any", MESSAGES, {"a": 1, "b": 2.5}, {"type": "object", "properties": {"x": {}, "y": {}}})  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        Request("fake:any2", ASKED.messages, ASKED.params, ASKED.schema),
        Request("other:any", ASKED.messages, ASKED.params, ASKED.schema),
        Request("fake:any", MESSAGES[1:], ASKED.params, ASKED.schema),
        Request("fake:any", MESSAGES[::-1], ASKED.params, ASKED.schema),
        Request("fake:any", (MESSAGES[0], Message("user", "write ")), ASKED.params, ASKED.schema),
        Request("fake:any", (Message("user", "be kind"), MESSAGES[1]), ASKED.params, ASKED.schema),
        Request("fake:any", (Message("user", "be kindwrite"),), ASKED.params, ASKED.schema),
        Request("fake:any", MESSAGES, {"a": 1}, ASKED.schema),
        Request("fake:any", MESSAGES, {"a": 1, "b": 2.4}, ASKED.schema),
        Request("fake:any", MESSAGES, {"a": 1.0, "b": 2.5}, ASKED.schema),
        Request("fake:any", MESSAGES, {"a": True, "b": 2.5}, ASKED.schema),
        Request("fake:any", MESSAGES, ASKED.params, None),
        Request("fake:any", MESSAGES, ASKED.params, {}),
        Request("fake:any", MESSAGES, ASKED.params, {"type": "object", "properties": {"y": {}, "x": {}}}),
        Request("fake:any", MESSAGES, ASKED.params, {"type": "object", "properties": {"x": {}}}),
    ],
    ids=range(15),
)  # fmt: skip
def test_whatever_is_sent_is_in_the_digest(other: Request) -> None:
    assert other.digest() != ASKED.digest()


def test_the_order_of_params_is_not_in_the_digest() -> None:
    nested = {"b": 2.5, "a": 1}
    assert Request("fake:any", MESSAGES, nested, ASKED.schema).digest() == ASKED.digest()
    deep = {"outer": {"x": 1, "y": 2}}
    turned = {"outer": {"y": 2, "x": 1}}
    assert Request("m:m", (), deep).digest() == Request("m:m", (), turned).digest()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), max_size=4),
    st.dictionaries(st.text(max_size=5), json_values, max_size=3),
    st.none() | st.dictionaries(st.text(max_size=5), json_values, max_size=3),
)
def test_a_digest_has_16_bytes_and_follows_from_the_content(
    turns: list[tuple[Any, str]], params: dict[str, Any], schema: dict[str, Any] | None
) -> None:
    made = [
        Request("p:m", tuple(Message(*turn) for turn in turns), dict(params), schema).digest()
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len(made[0]) == 16


@given(st.binary(min_size=16, max_size=16), st.integers(0, 10**6), st.integers(0, 99))
def test_a_key_is_a_short_plain_text_and_comes_back(
    digest: bytes, repeat: int, attempt: int
) -> None:
    key = Key(digest, repeat, attempt)
    assert len(str(key)) <= 64
    assert set(str(key)) <= set("0123456789abcdef-")
    assert Key.parse(str(key)) == key
    assert 0 <= key.seed() < 2**31
    assert key.seed() == Key.parse(str(key)).seed()


def test_a_frozen_project_has_the_keys_that_it_always_had(base: Path) -> None:
    """These are the keys of the day they were written down. Should this fail after a change of
    the code, everybody's answers would be paid for anew: change the code, not the keys."""
    found = projects.keys(base, levels=1)
    assert [f"{key} {case['case']}" for key, case in found.items()] == frozen.KEYS.split("\n")[1:-1]
    letters = [case for case in found.values() if case["scenario"] == "letters"][:40]
    names = ("patience", "amount", "waited")
    cases = [
        [*case["combination"].values(), case["occurrence"], *(case["variables"][n] for n in names)]
        for case in letters
    ]
    assert [" ".join(map(str, case)) for case in cases] == frozen.CASES.split("\n")[1:-1]
