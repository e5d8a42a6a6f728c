"""The verbs from Python: what they give, what a second run tells, what an engine of one's own does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import builder
from builder.cli.console import Console
from builder.fill.progress import Progress
from builder.project.settings import Budget
from builder.records import Call
from builder.store import reading
from builder.verbs import monitor
from builder.verbs.result import Result, html_table
from tests import projects

NOTES = {
    "scenarios/letters.yaml": "schema: Letter\nrows: 3 each\nvary:\n  tone: [glad, sad]\n",
}


@pytest.fixture
def workspace(tmp_path: Path) -> builder.Workspace:
    return builder.open(projects.write(tmp_path, NOTES))


def test_a_run_tells_what_was_held_before_and_what_is_new(workspace: builder.Workspace) -> None:
    first = workspace.run()
    assert (first.held, first.new, first.rows, first.missing) == (0, 6, 6, 0)
    again = workspace.run()
    assert (again.held, again.new, again.rows, again.rejects) == (6, 0, 6, 0)
    assert again.progress.calls == 0
    assert repr(again) == (
        "<RunResult: 6 rows; 6 held before, 0 new; 0 rejects; 0.00 usd>"
    )  # fmt: skip
    assert [export.changed for export in (*first.exports, *again.exports)] == [True, False]


def test_a_plan_tells_what_a_run_would_ask(workspace: builder.Workspace) -> None:
    plan = workspace.plan()
    assert (plan.wanted, plan.held, plan.to_ask, plan.usd, plan.unplanned) == (6, 0, 6, 0.0, 0)
    assert repr(plan) == "<PlanResult: 6 rows: 0 held, 6 to ask, about 0.00 usd>"
    assert plan.modules == ["letters.py"]
    tones = [planned.case.columns["tone"] for planned in plan.requests(2)]
    assert len(tones) == 2
    assert plan.drift() == []
    workspace.run(export=False)
    assert workspace.plan("letters").unplanned is None
    assert workspace.plan().to_ask == 0


def test_a_fake_answers_in_place_of_every_model_and_keys_stay(tmp_path: Path) -> None:
    settings = {"pyproject.toml": '[tool.builder]\nmodel = "openai:gpt-5-mini"\n'}
    workspace = builder.open(projects.write(tmp_path, {**NOTES, **settings}))
    calls: list[Call] = []

    def script(call: Call) -> str:
        calls.append(call)
        return json.dumps({"text": f"letter number {len(calls)}"})

    result = workspace.run(engine=builder.Fake(script))
    assert (result.new, len(calls)) == (6, 6)
    assert {call.request.model for call in calls} == {"openai:gpt-5-mini"}
    with reading(tmp_path / "outputs/store.sqlite") as answers:
        assert set(answers.keys()) == {call.key for call in calls}
    assert {row["text"] for row in workspace.show()} == {f"letter number {n}" for n in range(1, 7)}


def test_refused_answers_are_rejects_and_leave_rows_missing(workspace: builder.Workspace) -> None:
    result = workspace.run(engine=builder.Fake(["no JSON"] * 3), tries=1, concurrency=1)
    assert result.rejects == 3
    assert result.rows + result.missing == 6
    rejects = list(workspace.show("letter").rejects())
    assert [reject.stage for reject in rejects] == ["parse"] * 3
    assert "3 rejects" in repr(result)


def test_a_budget_stops_a_run_and_the_result_says_so(tmp_path: Path) -> None:
    settings = '[tool.builder]\nmodel = "fake:any"\nparams = {max_tokens = 60}\n'
    workspace = builder.open(projects.write(tmp_path, {**NOTES, "pyproject.toml": settings}))
    result = workspace.run(budget="270tok", concurrency=1)
    assert (result.new, result.open, result.short) == (3, 3, 0)
    assert "stopped: " in repr(result)
    assert f"{result.missing} missing" in repr(result)


def test_rows_are_read_again_by_every_loop(workspace: builder.Workspace) -> None:
    rows = workspace.show("letter")
    assert list(rows) == []
    workspace.run(export=False)
    assert len(list(rows)) == len(list(rows)) == 6
    assert len(rows.to_pandas()) == 6
    assert [len(part) for part in rows.first(4)] == [4]
    assert rows.first_rejects(4) == [[]]
    assert "<th>tone</th>" in rows._repr_html_()


def test_export_writes_the_form_that_is_asked_for(workspace: builder.Workspace) -> None:
    workspace.run(export=False)
    result = workspace.export("letter", format="jsonl")
    assert [path.suffix for path in (result.folders[0] / "data").iterdir()] == [".jsonl"]
    (record,) = result.records()
    assert (record["rows"], record["rejects"], record["splits"]) == (6, 0, "train 6")


def test_check_judges_a_dataset_or_a_file_and_writes_reports(
    workspace: builder.Workspace, tmp_path: Path
) -> None:
    workspace.run()
    result = workspace.check("letter")
    assert (tmp_path / "outputs/letter/report.html").is_file()
    assert result.passed
    assert {finding.verdict for finding in result} <= {"pass", "warn", "too-few-rows"}
    rows = tmp_path / "rows.jsonl"
    workspace.show().to_pandas().to_json(rows, orient="records", lines=True)
    alone = workspace.check(rows, report=tmp_path / "report")
    assert alone.datasets[0].name == "rows.jsonl"
    assert (tmp_path / "report/report.json").is_file()


def test_two_exports_of_the_same_rows_do_not_differ(
    workspace: builder.Workspace, tmp_path: Path
) -> None:
    workspace.run()
    result = workspace.diff("letter", tmp_path / "outputs/letter")
    assert repr(result).endswith("0 added, 0 removed, 0 changed>")
    assert result.to_pandas().empty


def test_publishing_needs_a_token_and_a_dry_run_does_not(
    workspace: builder.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    workspace.run()
    with pytest.raises(builder.InputError, match="HF_TOKEN is not set"):
        workspace.publish("letter", "me/letters")
    result = workspace.publish("letter", "me/letters", dry_run=True)
    assert (result.rows, result.url, result.planned.looked_at) == (6, "", False)
    assert repr(result) == "<PublishResult: letter: 6 rows, nothing was sent>"


def test_a_scenario_that_draws_nothing_gives_no_rows(workspace: builder.Workspace) -> None:
    result = workspace.draw("letters")
    assert (list(result), result.compare(), result.notes) == ([], [], [])
    with pytest.raises(builder.InputError, match="draws from no table"):
        result.plot(workspace.root / "plot.svg", [])


def test_unknown_names_are_wrong_inputs(workspace: builder.Workspace) -> None:
    with pytest.raises(builder.InputError, match=r"Did you mean 'letter'\?"):
        workspace.show("lettre")
    with pytest.raises(builder.InputError, match="is a scenario; its rows are in the dataset"):
        workspace.show("letters")
    with pytest.raises(builder.InputError):
        builder.open(workspace.root.parent / "elsewhere")


def test_open_finds_the_project_from_a_folder_inside(workspace: builder.Workspace) -> None:
    assert builder.open(workspace.root / "scenarios") == workspace


def test_a_run_works_where_a_loop_runs_already_and_reports_its_progress(
    workspace: builder.Workspace,
) -> None:
    counts: list[tuple[int, int]] = []

    async def cell() -> builder.RunResult:
        return workspace.run(progress=lambda p: counts.append((p.accepted, p.to_ask)))

    assert asyncio.run(cell()).new == 6
    assert counts[-1] == (6, 6)


@pytest.mark.parametrize("loop", [False, True])
def test_an_interrupted_run_keeps_what_was_answered(tmp_path: Path, *, loop: bool) -> None:
    slow = "[tool.builder.providers.fake]\nlatency = 0.1\n"
    settings = {"pyproject.toml": projects.SETTINGS + slow}
    workspace = builder.open(projects.write(tmp_path, {**NOTES, **settings}))

    def interrupt(progress: Progress) -> None:
        if progress.accepted:
            raise KeyboardInterrupt

    async def cell() -> None:
        workspace.run(progress=interrupt, concurrency=1)

    begin = (
        (lambda: asyncio.run(cell()))
        if loop
        else (lambda: workspace.run(progress=interrupt, concurrency=1))
    )
    with pytest.raises(KeyboardInterrupt):
        begin()
    result = workspace.run()
    assert 0 < result.held < 6
    assert (result.rows, result.held + result.new) == (6, 6)


def test_a_bar_shows_how_far_a_run_is() -> None:
    assert monitor.bar(Progress(to_ask=1200, accepted=300, rejects=1, usd=0.25)) == (
        '<progress value="300" max="1200"></progress> 300 of 1,200 rows · 1 reject · 0.25 usd'
    )


def test_a_table_escapes_its_values_and_cuts_long_ones() -> None:
    page = html_table([{"a": "<i>", "b": None}, {"a": "x" * 201, "b": "y" * 200}], "2 < 3")
    assert "<caption>2 &lt; 3</caption>" in page
    assert "<td>&lt;i&gt;</td><td></td>" in page
    assert f"<td>{'x' * 199}…</td><td>{'y' * 200}</td>" in page


def test_a_notebook_shows_the_first_twenty_records() -> None:
    class Numbers(Result):
        def summary(self) -> str:
            return "30 numbers"

        def records(self) -> list[dict[str, object]]:
            return [{"n": n} for n in range(30)]

    page = Numbers()._repr_html_()
    assert page.count("<tr>") == 21
    assert len(Numbers().to_pandas()) == 30


@pytest.mark.parametrize("name", builder.__all__)
def test_a_public_name_is_what_its_entry_says(name: str) -> None:
    assert getattr(builder, name).__name__.removesuffix("_folder") == name
    assert name in dir(builder)


@pytest.mark.parametrize(("limit", "expensive"), [("0.0001usd", True), ("900usd", False)])
def test_a_price_above_the_limit_is_confirmed(
    tmp_path: Path, limit: str, *, expensive: bool
) -> None:
    settings = (
        f'[tool.builder]\nmodel = "mine:one"\nconfirm_above = "{limit}"\n'
        '[tool.builder.providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\n'
        "params = {max_tokens = 60}\nusd_per_million = {input = 100.0, output = 200.0}\n"
    )
    plan = builder.open(projects.write(tmp_path, {**NOTES, "pyproject.toml": settings})).plan()
    assert plan.expensive == expensive
    Console(yes=True, quiet=True).planned(plan, None)
    Console(yes=False, quiet=True).planned(plan, Budget(tokens=1))
    if expensive:
        with pytest.raises(builder.InputError, match="above confirm_above"):
            Console(yes=False, quiet=True).planned(plan, None)
    else:
        Console(yes=False, quiet=True).planned(plan, None)
