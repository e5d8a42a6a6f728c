"""What the command line says, and what it leaves alone, when things go as people make them go."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.cli.application import VERBS
from builder.project.settings import (
    DatasetSettings,
    Provider,
    Settings,
    ShapeSettings,
)
from tests import projects
from tests.projects import process, run, write
from tests.provider import Provider as Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
TWO = {
    "scenarios/letters.yaml": "schema: Letter\nrows: 6 each\nvary:\n  tone: [glad, sad]\n",
    "scenarios/notes.yaml": "prompt: letters\nschema: Letter\nrows: 6\nseed: 4\nvary:\n  tone: [wry, calm]\n",
}
"""Two scenarios of one dataset."""


def settings(model: str, more: str = "") -> dict[str, str]:
    return {"pyproject.toml": f'[tool.builder]\nmodel = "{model}"\n{more}'}


def data(folder: Path, dataset: str = "letter") -> dict[str, bytes]:
    found = (folder / "outputs" / dataset).rglob("*")
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def served(server: Server, more: str = "", priced: str = "") -> dict[str, str]:
    provider = f'[tool.builder.providers.mine]\nbase_url = "{server.url}/v1"\n{priced}'
    return settings("mine:one", more + provider)


def test_a_missing_key_is_told_before_anything_and_plan_says_it_as_a_note(tmp_path: Path) -> None:
    write(tmp_path)
    assert run(tmp_path, "run").code == 0
    before = data(tmp_path)
    write(tmp_path, settings("openai:gpt-5-mini"))
    ran = run(tmp_path, "run", "--yes")
    assert ran.code == 2
    assert ran.err.startswith("error: OPENAI_API_KEY is not set")
    assert not ran.out
    assert data(tmp_path) == before
    planned = run(tmp_path, "plan")
    assert planned.code == 0
    assert planned.out.count("OPENAI_API_KEY is not set") == 1


@pytest.mark.parametrize(("budget", "word"), [("1usd", "max_tokens"), ("900tok", "max_tokens")])
def test_a_budget_that_cannot_be_kept_is_told_before_anything(
    tmp_path: Path, budget: str, word: str
) -> None:
    with Server() as server:
        write(tmp_path, served(server))
        ran = run(tmp_path, "run", "--budget", budget)
    assert ran.code == 2
    assert ran.err.startswith("error: a budget needs")
    assert word in ran.err
    assert server.calls == 0


def test_a_run_that_accepts_nothing_leaves_the_datasets_as_they_are(tmp_path: Path) -> None:
    write(tmp_path)
    assert run(tmp_path, "run").code == 0
    before = data(tmp_path)
    many = {"scenarios/letters.yaml": "schema: Letter\nrows: 30\nvary:\n  tone: [glad, sad]\n"}
    with Server(faults={"prose": 1.0}) as server:
        write(tmp_path, {**served(server), **many})
        ran = process(tmp_path, "run")
    assert ran.code == 75
    assert ran.err.count("the datasets' folders are as they were") == 1
    assert "load it" not in ran.err
    assert data(tmp_path) == before
    shown = run(tmp_path, "show", "--rejects", "-n", "1")
    assert "no JSON object in the answer" in shown.out


@pytest.mark.slow
def test_an_address_of_this_machine_where_nothing_listens_is_given_up_with_a_hint(
    tmp_path: Path,
) -> None:
    with Server() as server:
        gone = served(server)
    write(tmp_path, gone)
    ran = process(tmp_path, "run", "--concurrency", "1")
    assert ran.code == 75
    assert "Is mine running? Start it." in ran.err
    failed = re.search(r"(\d+) calls? failed", ran.err)
    assert failed
    assert int(failed[1]) < 32  # not eight attempts of each of the calls at once
    assert not (tmp_path / "outputs/letter/manifest.json").exists()


def test_a_spent_budget_says_what_was_paid_and_what_the_next_call_could_cost(
    tmp_path: Path,
) -> None:
    with Server() as server:
        priced = "usd_per_million = {input = 100.0, output = 200.0}\n"
        write(tmp_path, {**TWO, **served(server, "params = {max_tokens = 60}\n", priced)})
        ran = process(tmp_path, "run", "--budget", "0.06usd")
    assert ran.code == 75
    told = re.search(
        r"the budget of 0.06 usd leaves no room: (0\.\d{4}) paid, and the next call could cost "
        r"(0\.\d{4})",
        ran.err,
    )
    assert told
    assert 0 < float(told[1]) <= 0.06 < float(told[1]) + float(told[2])
    assert re.search(r"0\.\d{4} usd a row", ran.err)


def test_rejects_are_grouped_without_the_words_of_the_answer(tmp_path: Path) -> None:
    with Server(faults={"prose": 0.5}, seed=1) as server:
        write(tmp_path, {**served(server), **TWO})
        ran = process(tmp_path, "run")
    lines = [line for line in ran.err.splitlines() if "× parse" in line]
    assert len(lines) == 1
    assert re.fullmatch(r"    \d+ × parse: no JSON object in the answer", lines[0])


def test_reasons_show_numbers_as_n_and_leave_out_keys_and_quotations() -> None:
    from builder.dataset.exports import plain
    from builder.records import Case, Key, Reject

    def reason(text: str, raw: str = "") -> str:
        case = Case("s", {}, 0, {}, {})
        return plain(Reject(case, Key(b"0" * 16, 0, 0), "fake:any", "validate", text, raw))

    key = Key(b"0" * 16, 2, 1)
    assert reason(f"near-duplicate of {key}, 0.93") == "near-duplicate of another row, N"
    assert reason("score: 7 is above 4 (found '7'); text: short (found 'a; b')") == (
        "score: N is above N; text: short"
    )
    assert reason("'sorry' is what support says", "I am Sorry") == "… is what support says"
    assert reason("should be 'good' or 'bad'", "fine") == "should be 'good' or 'bad'"
    assert reason('not JSON: {"a": tru') == "not JSON"


def test_each_trial_model_has_its_own_folder_and_show_names_the_trial(tmp_path: Path) -> None:
    with Server() as server:
        write(tmp_path, served(server))
        assert run(tmp_path, "run", "--model", "fake:a/b").out == "outputs/trial/fake-a-b/letter\n"
        assert run(tmp_path, "run", "--model", "fake:other").code == 0
        assert len(data(tmp_path, "trial/fake-a-b/letter")) > 2
        shown = run(tmp_path, "show", "Letter")
        assert "no rows yet" in shown.err
        assert "builder show letter --model fake:a/b\n" in shown.err
        assert run(tmp_path, "show", "--model", "fake:a/b").out.count("── row") == 2
        assert "4 held answers of trials, or from before an edit" in run(tmp_path, "plan").out
    exported = run(tmp_path, "export", "--model", "fake:a/b", "--format", "jsonl")
    assert exported.out == "outputs/trial/fake-a-b/letter\n"
    assert list((tmp_path / "outputs/trial/fake-a-b/letter/data").glob("*.jsonl"))
    checked = run(tmp_path, "check", "letter", "--model", "fake:a/b")
    assert "letter: 2 rows" in checked.out
    assert (tmp_path / "outputs/trial/fake-a-b/letter/report.html").is_file()


def test_show_deals_rows_over_the_scenarios(tmp_path: Path) -> None:
    write(tmp_path, TWO)
    assert run(tmp_path, "run").code == 0
    out = run(tmp_path, "show", "-n", "2").out
    assert "· letters ·" in out
    assert "· notes ·" in out
    assert run(tmp_path, "show", "-n", "2").out == out
    assert run(tmp_path, "show", "-n", "99").out.count("── row") == 18


def test_a_narrow_table_leaves_half_of_it_to_texts(tmp_path: Path) -> None:
    prompt = "{{ season }} {{ weather }} {{ place }}\n"
    scenario = (
        "schema: Letter\nvary:\n  season: [the long winter]\n  weather: [a heavy snowfall]\n"
        "  place: [a mountain village]\n"
    )
    write(tmp_path, {"prompts/letters.j2": prompt, "scenarios/letters.yaml": scenario})
    run(tmp_path, "run")
    lines = process(tmp_path, "show", "--table", COLUMNS="60").out.splitlines()
    assert max(map(len, lines)) <= 60
    assert len(lines[1].split()[0]) >= 20


def test_a_reject_names_its_variables(tmp_path: Path) -> None:
    faults = "[tool.builder.providers.fake]\nfaults = {malformed = 1.0}\n"
    write(tmp_path, settings("fake:any", faults))
    assert run(tmp_path, "run").code == 5
    assert "case    tone = " in run(tmp_path, "show", "--rejects").out


def test_a_plan_fits_80_columns(tmp_path: Path) -> None:
    name = "a_rather_long_name_of_a_scenario"
    write(tmp_path, {f"scenarios/{name}.yaml": "prompt: letters\n" + projects.SCENARIO})
    table = run(tmp_path, "plan").out.splitlines()
    assert max(map(len, table[:4])) <= 80
    assert table[0].split()[:2] == ["scenario", "combinations"]


def test_the_project_says_how_data_is_written_and_a_flag_goes_before(tmp_path: Path) -> None:
    write(tmp_path, settings("fake:any", '[tool.builder.datasets.letter]\nformat = "jsonl"\n'))
    run(tmp_path, "run")
    files = tmp_path / "outputs/letter/data"
    assert [path.suffix for path in files.iterdir()] == [".jsonl"]
    assert run(tmp_path, "export", "--format", "csv").code == 0
    assert [path.suffix for path in files.iterdir()] == [".csv"]
    assert run(tmp_path, "export").code == 0
    assert [path.suffix for path in files.iterdir()] == [".jsonl"]


def test_help_lists_the_verbs_in_the_order_of_work_and_cuts_nothing(tmp_path: Path) -> None:
    ran = run(tmp_path, "--help")
    assert tuple(re.findall(r"^  ([a-z]+)  ", ran.out, re.MULTILINE)) == tuple(VERBS)
    assert "..." not in ran.out
    for verb in VERBS:
        told = run(tmp_path, verb, "--help").out
        assert told.startswith(f"Usage: builder {verb} [OPTIONS]")
        assert not re.search(r"\.\.\.|\[\[|<(list|int|str)", told), told


def test_the_version_is_told(tmp_path: Path) -> None:
    assert re.fullmatch(r"text-dataset-builder \d+\.\d+\.\d+\n", run(tmp_path, "--version").out)


def test_a_slip_in_an_option_names_the_nearest(tmp_path: Path) -> None:
    ran = run(tmp_path, "show", "--modle", "x")
    assert ran.code == 2
    assert ran.err.startswith(
        "error: builder show: no such option: --modle. Did you mean '--model'?"
    )
    ran = run(tmp_path, "pln")
    assert (ran.code, "Did you mean 'plan'?" in ran.err) == (2, True)
    assert run(tmp_path, "plan", "--rows", "x").code == 2


def test_options_of_all_verbs_may_stand_before_the_verb(tmp_path: Path) -> None:
    write(tmp_path / "site")
    before = run(tmp_path, "--debug", "--project", "site", "plan", "letters")
    assert before == run(tmp_path, "plan", "letters", "--debug", "--project", "site")
    assert before.code == 0
    assert before.err.count("loaded schemas/") == 1


def test_init_names_the_next_command(tmp_path: Path) -> None:
    assert "next: cd 'a b' && builder run support_messages\n" in run(tmp_path, "init", "a b").err
    here = tmp_path / "here"
    here.mkdir()
    assert "next: builder run support_messages\n" in run(here, "init", ".").err


def test_a_chinese_prompt_for_the_english_model_is_warned_of(tmp_path: Path) -> None:
    assert run(tmp_path, "init", ".").code == 0
    (tmp_path / "pyproject.toml").write_text('[tool.builder]\nmodel = "local:smollm2"\n')
    said = run(tmp_path, "plan", "--rows", "1").out
    assert re.findall(r"(\w+): its prompt is mainly Chinese", said) == ["angry_customers"]


def test_a_listener_that_leaves_stops_no_work(tmp_path: Path) -> None:
    write(tmp_path)
    command = [sys.executable, "-m", "builder", "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process_:
        assert process_.stdout
        assert process_.stderr
        process_.stdout.close()
        process_.stderr.close()
    held = json.loads((tmp_path / "outputs/letter/manifest.json").read_text("utf-8"))
    assert held["rows"] == 2


def test_who_holds_the_lock_is_told_with_its_command(tmp_path: Path) -> None:
    from builder import store

    write(tmp_path)
    (tmp_path / "outputs").mkdir()
    with store.locked(tmp_path / "outputs"):
        ran = process(tmp_path, "run")
    assert ran.code == 4
    assert re.search(r"in use by pid \d+ since [^:]+:\d\d:\d\d: \S+", ran.err)


def test_one_is_singular(tmp_path: Path) -> None:
    faults = "[tool.builder.providers.fake]\nfaults = {malformed = 1.0}\n"
    one = {"scenarios/letters.yaml": "schema: Letter\ntries: 1\nvary:\n  tone: [glad]\n"}
    write(tmp_path, {**settings("fake:any", faults), **one})
    ran = run(tmp_path, "run")
    assert ran.code == 5
    assert "1 row is missing." in ran.err
    assert "1 row short in 1 combination " in ran.err


@pytest.mark.parametrize(
    ("head", "model"),
    [
        ("[tool.builder]", Settings),
        ("[tool.builder.providers.NAME]", Provider),
        ("[tool.builder.datasets.NAME]", DatasetSettings),
        ("shape", ShapeSettings),
    ],
)
def test_every_setting_is_explained_with_its_default(head: str, model: type) -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    section = next(part for part in page.split("\n## ") if part.startswith(f"`{head}`"))
    told = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", section, re.MULTILINE))
    fields = {field.alias or name: field for name, field in model.model_fields.items()}  # type: ignore[attr-defined]
    assert set(told) == set(fields)
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, str | int) and not isinstance(default, bool):
            assert told[name] == f"`{default}`"
        elif default is None or default in ({}, [], False):
            assert "`" not in told[name] or told[name].startswith("none")
