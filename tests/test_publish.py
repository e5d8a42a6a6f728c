"""Publishing to a loopback Hub: what is sent, what is refused, and that nothing is half done."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests import projects, sites
from tests.hub import TOKEN, File, Hub
from tests.publishing import FILES, REPO, Desk

pytestmark = pytest.mark.slow

STRICT = "[tool.builder.datasets.letter]\nexpect = {drift = {table = 'moods.csv'}}\n"
"""A reference in which every mood is good; among the letters about half are."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose rows are there, made once."""
    with Hub() as hub:
        made = Desk(tmp_path_factory.mktemp("filled"), hub)
        made.set_up()
        return made.project


@pytest.fixture
def desk(tmp_path: Path, filled: Path) -> Iterator[Desk]:
    with Hub() as hub:
        found = Desk(tmp_path, hub)
        shutil.copytree(filled, found.project)
        yield found
        assert hub.unknown == []
        assert found.told_nobody()


@contextmanager
def strict(desk: Desk) -> Iterator[None]:
    """A project whose dataset fails a gate, until the end of the `with`."""
    settings = desk.project / "pyproject.toml"
    lenient = settings.read_text("utf-8")
    (desk.project / "moods.csv").write_text("mood\n" + "good\n" * 200, "utf-8")
    settings.write_text(lenient + STRICT, "utf-8")
    yield
    settings.write_text(lenient, "utf-8")


def test_a_published_dataset_is_private_has_a_card_and_loads_plain_and_streaming(
    desk: Desk,
) -> None:
    ran = desk.publish()
    assert ran.code == 0
    assert ran.out.strip() == f"{desk.hub.url}/datasets/{REPO}"
    assert "private, to be made" in ran.err
    assert "50 rows" in ran.err
    assert "measuring the gates" in ran.err
    assert desk.hub.repos[REPO].private
    assert desk.hub.commits == 1
    counts = desk.load(
        f'plain = datasets.load_dataset("{REPO}")\n'
        f'stream = datasets.load_dataset("{REPO}", streaming=True, split="train")\n'
        'print(json.dumps([plain["train"].num_rows, sum(1 for _ in stream), plain["train"][0]["_scenario"]]))'
    )
    assert counts == [50, 50, "letters"]
    card = desk.load(
        "from huggingface_hub import DatasetCard\n"
        f'data = DatasetCard.load("{REPO}").data\n'
        "print(json.dumps([data.to_dict()['tags'], data.size_categories, data.configs]))"
    )
    assert card[0][:2] == ["synthetic", "text-dataset-builder"]
    assert card[1] == ["n<1K"]
    assert card[2][0]["config_name"] == "letter"


def test_an_unchanged_dataset_makes_no_commit_and_a_grown_one_sends_what_is_new(desk: Desk) -> None:
    desk.publish()
    sent, before = desk.hub.sent, desk.head
    again = desk.publish()
    assert again.code == 0
    assert "nothing changed" in again.err
    assert (desk.hub.commits, desk.hub.sent) == (1, sent)
    scenario = desk.project / "scenarios/more.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("rows: 10", "rows: 11"), "utf-8")
    assert desk.builder("run").code == 0
    assert desk.publish().code == 0
    changed = {path for path, content in desk.head.items() if before.get(path) != content}
    shard = "letter/data/train-00000-of-00001-more-00000.parquet"
    assert {path for path in changed if "/data/" in path} == {shard}
    assert desk.hub.sent - sent == len(desk.head[shard])
    assert desk.hub.commits == 2


def test_a_scenario_taken_away_takes_its_files_away(desk: Desk) -> None:
    desk.publish()
    (desk.project / "scenarios/more.yaml").unlink()
    assert desk.builder("export", "letter").code == 0
    assert desk.publish().code == 0
    assert [path for path in desk.head if "-more-" in path] == []
    counts = desk.load(
        f'print(json.dumps(datasets.load_dataset("{REPO}", split="train").num_rows))'
    )
    assert counts == 40


def test_two_datasets_are_two_configs_of_one_repository(desk: Desk) -> None:
    desk.publish()
    before = desk.head
    assert desk.publish(dataset="Note").code == 0
    assert all(desk.head[path] == content for path, content in before.items() if "/" in path)
    counts = desk.load(
        "print(json.dumps([datasets.get_dataset_config_names(NAME),"
        ' datasets.load_dataset(NAME, "note", split="train").num_rows,'
        ' datasets.load_dataset(NAME, "letter", split="train").num_rows]))'.replace(
            "NAME", repr(REPO)
        )
    )
    assert counts == [["letter", "note"], 12, 50]
    assert desk.publish().err.count("nothing changed") == 1


def test_a_release_is_tagged_and_says_what_changed_since_the_one_before(desk: Desk) -> None:
    assert desk.publish("--tag", "v1").code == 0
    scenario = desk.project / "scenarios/letters.yaml"
    text = scenario.read_text("utf-8")
    scenario.write_text(
        text.replace("[glad, sad]", "[glad, calm]").replace("20 each", "21 each"), "utf-8"
    )
    desk.builder("run")
    ran = desk.publish("--tag", "v2")
    assert ran.code == 0, ran.err
    assert "letters: 22 added, 20 removed, 0 changed" in ran.err
    assert list(desk.hub.repos[REPO].tags) == ["v1", "v2"]
    card = desk.head["README.md"].decode()
    assert "| v2 |" in card
    assert "letters: 22 added, 20 removed" in card
    commits = desk.hub.commits
    assert "nothing changed" in desk.publish("--tag", "v2").err
    assert desk.hub.commits == commits
    desk.builder("run")
    scenario.write_text(text, "utf-8")
    desk.builder("run")
    taken = desk.publish("--tag", "v1")
    assert taken.code == 2
    assert "v1" in taken.err
    assert desk.hub.commits == commits


def test_a_list_of_releases_that_somebody_else_wrote_is_named(desk: Desk) -> None:
    desk.publish()
    repo = desk.hub.repos[REPO]
    for content in (b'["v1"]', b'{"tag": "v1"}', b"7"):
        repo.commits[-1].files["letter/releases.json"] = File(content, large=False)
        ran = desk.publish("--tag", "v2")
        assert ran.code == 2
        assert "letter/releases.json that cannot be read" in ran.err
    assert desk.hub.commits == 1


def test_a_tag_that_an_interruption_left_out_is_made_later(desk: Desk) -> None:
    desk.publish("--tag", "v1")
    desk.hub.repos[REPO].tags.clear()
    ran = desk.publish("--tag", "v1")
    assert ran.code == 0
    assert desk.hub.repos[REPO].tags == {"v1": desk.hub.repos[REPO].commits[-1].id}
    assert desk.hub.commits == 1


def test_whoever_moved_the_branch_is_named_and_nothing_is_published(desk: Desk) -> None:
    desk.publish()
    scenario = desk.project / "scenarios/more.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("rows: 10", "rows: 11"), "utf-8")
    desk.builder("run")
    desk.hub.before_commit = desk.hub.move
    ran = desk.publish()
    assert ran.code == 75
    assert ran.err.count("error:") == 1
    assert "rival committed 'Add my notes'" in ran.err
    assert desk.hub.commits == 1
    sent = desk.hub.sent
    assert desk.publish().code == 0
    assert desk.hub.sent == sent
    assert desk.head["NOTES.md"] == b"mine"


def test_an_upload_cut_in_the_middle_is_sent_again_and_committed_once(desk: Desk) -> None:
    desk.hub.cut = 1
    assert desk.publish().code == 0
    assert desk.hub.commits == 1
    whole = [content for path, content in desk.head.items() if path.endswith(".parquet")]
    assert desk.hub.sent == sum(map(len, whole))


def test_killed_in_mid_upload_and_published_again_it_sends_only_what_is_missing(
    desk: Desk,
) -> None:
    desk.hub.hold = 1
    process = subprocess.Popen(
        [sys.executable, "-m", "builder", "publish", "letter", REPO, "--yes"],
        cwd=desk.project, env=desk.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not desk.hub.sent:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    desk.hub.hold, sent = -1, desk.hub.sent
    assert desk.hub.commits == 0
    assert desk.publish().code == 0
    assert desk.hub.commits == 1
    whole = [content for path, content in desk.head.items() if path.endswith(".parquet")]
    assert sent > 0
    assert desk.hub.sent == sum(map(len, whole))


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(desk: Desk) -> None:
    ran = desk.publish("--dry-run", "--tag", "v1")
    assert ran.code == 0
    assert "to send" in ran.err
    assert "nothing was sent" in ran.err
    assert desk.hub.repos == {}
    assert desk.hub.sent == 0


def test_a_dry_run_without_a_token_looks_at_what_is_here(desk: Desk) -> None:
    ran = desk.publish("--dry-run", HF_TOKEN="")
    assert ran.code == 0
    assert "HF_TOKEN is not set" in ran.err
    assert "data files" in ran.err
    assert desk.hub.repos == {}
    assert desk.publish(HF_TOKEN="").code == 2


def test_nobody_there_to_ask_is_no_yes(desk: Desk) -> None:
    ran = desk.builder("publish", "letter", REPO)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert desk.hub.repos == {}


@pytest.mark.parametrize("answer", ["n", "y"])
def test_on_a_terminal_it_asks_and_takes_no_for_an_answer(desk: Desk, answer: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "builder", "publish", "letter", REPO, "--quiet"],
        cwd=desk.project, env=desk.environ(), stdin=theirs, stderr=theirs, stdout=subprocess.PIPE,
    )  # fmt: skip
    os.close(theirs)
    asked = b""
    while b"?" not in asked:
        asked += os.read(ours, 4096)
    assert desk.hub.repos == {}
    os.write(ours, answer.encode() + b"\n")
    process.communicate(timeout=60)
    os.close(ours)
    for told in (REPO, "private", "50 rows", "bytes"):
        assert told in asked.decode()
    assert process.returncode == (0 if answer == "y" else 2)
    assert desk.hub.commits == (answer == "y")


def test_a_failing_gate_is_named_and_keeps_the_dataset_at_home(desk: Desk) -> None:
    with strict(desk):
        ran = desk.publish()
    assert ran.code == 1
    line = next(line for line in ran.err.splitlines() if line.startswith("error:"))
    assert "drift.js of mood is 0." in line
    assert ", limit 0.1: " in line
    assert desk.hub.repos == {}
    assert desk.publish().code == 0
    assert b"labels.length" in desk.head["letter/plots/gates.svg"]
    assert json.loads(desk.head["letter/report.json"])["passed"]


def test_gates_are_judged_by_the_rows_and_the_limits_of_now(desk: Desk) -> None:
    assert desk.builder("check", "letter").code == 0
    assert "measuring the gates" not in desk.publish().err
    with strict(desk):
        stricter = desk.publish()
    assert stricter.code == 1
    assert "measuring the gates" in stricter.err
    scenario = desk.project / "scenarios/more.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("rows: 10", "rows: 11"), "utf-8")
    assert desk.builder("run").code == 0
    assert b"Nobody has run the gates" in (desk.folder / "README.md").read_bytes()
    grown = desk.publish()
    assert grown.code == 0
    assert "measuring the gates" in grown.err
    assert json.loads(desk.head["letter/report.json"])["rows"] == 51


def test_a_report_beside_another_reference_says_nothing_about_publishing(desk: Desk) -> None:
    other = desk.project / "other.jsonl"
    other.write_text('{"text": "some other text altogether"}\n' * 60, "utf-8")
    desk.builder("check", "letter", "--reference", str(other))
    assert json.loads((desk.folder / "report.json").read_text("utf-8"))["reference_rows"] == 60
    assert "measuring the gates" in desk.publish().err


def test_rows_that_are_not_those_of_the_files_are_refused_by_name(desk: Desk) -> None:
    prompt = desk.project / "prompts/letters.j2"
    prompt.write_text(prompt.read_text("utf-8") + "\nBe brief.\n", "utf-8")
    ran = desk.publish()
    assert ran.code == 2
    assert "prompts/letters.j2 changed since the export" in ran.err
    assert "builder run writes it anew" in ran.err
    assert desk.builder("export", "letter").code == 5
    assert "prompts/letters.j2 changed since the export" in desk.publish().err
    projects.write(desk.project, desk.files)
    scenario = desk.project / "scenarios/more.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("rows: 10", "rows: 11"), "utf-8")
    assert desk.builder("export", "letter").code == 0
    ran = desk.publish()
    assert ran.code == 2
    assert "not asked for yet" in ran.err
    assert desk.hub.repos == {}
    projects.write(desk.project, desk.files)
    assert desk.builder("export", "letter").code == 0
    next((desk.folder / "data").iterdir()).write_bytes(b"PAR1")
    assert "not those that were exported" in desk.publish().err


def test_a_wrong_token_or_none_is_one_line_that_names_the_variable(desk: Desk) -> None:
    wrong = "hf_wrongwrongwrongwrong"
    ran = desk.publish(HF_TOKEN=wrong)
    assert ran.code == 2
    assert "HF_TOKEN" in ran.err
    assert wrong not in ran.err + ran.out
    ran = desk.publish(HF_TOKEN="")
    assert ran.code == 2
    assert "HF_TOKEN" in ran.err
    assert desk.hub.repos == {}


def test_a_token_is_told_to_nobody_whatever_goes_wrong(desk: Desk) -> None:
    assert desk.publish("--debug", HF_DEBUG="1").code == 0
    desk.hub.down = 503
    down = desk.publish("--debug")
    assert down.code == 75
    assert "Traceback" in down.err
    desk.hub.down = 0
    assert desk.publish("--debug", HF_ENDPOINT="http://127.0.0.1:9").code == 75
    for wrong in ("hf_wrongwrongwrongwrong", "hf_broken\nwrongwrong", "hf_密wrongwrong"):
        ran = desk.publish("--debug", HF_TOKEN=wrong)
        assert ran.code == 2
        assert "HF_TOKEN" in ran.err
        assert "wrongwrong" not in ran.err + ran.out


def test_the_token_may_stand_in_the_projects_env_file(tmp_path: Path, filled: Path) -> None:
    with Hub() as hub:
        desk = Desk(tmp_path, hub)
        shutil.copytree(filled, desk.project)
        (desk.project / ".env").write_text(f"HF_TOKEN={TOKEN}\n", "utf-8")
        environ = {name: value for name, value in desk.environ().items() if name != "HF_TOKEN"}
        done = subprocess.run(
            [sys.executable, "-m", "builder", "publish", "letter", REPO, "--yes"],
            cwd=desk.project, env=environ, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert TOKEN not in done.stderr + done.stdout


def test_no_network_a_failing_hub_and_refused_names_are_one_clear_line(desk: Desk) -> None:
    cases = [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, REPO, 75, "cannot reach the Hub"),
        ({"HF_HUB_OFFLINE": "1"}, REPO, 2, "HF_HUB_OFFLINE"),
        ({}, "acme/two--dashes", 2, "two--dashes"),
        ({}, "letters", 2, "owner/name"),
        ({}, "others/letters", 2, "may not write to others/letters"),
    ]
    for environ, repository, code, told in cases:
        ran = desk.builder("publish", "letter", repository, "--yes", **environ)
        assert ran.code == code, ran.err
        assert told in ran.err
        assert ran.err.count("error:") == 1
    desk.hub.down = 503
    ran = desk.publish()
    assert ran.code == 75
    assert "503" in ran.err
    desk.hub.down = 0
    assert desk.hub.repos == {}


def test_what_is_public_is_not_published_to_by_oversight(desk: Desk) -> None:
    assert desk.publish("--public").code == 0
    assert not desk.hub.repos[REPO].private
    ran = desk.publish()
    assert ran.code == 2
    assert "--public" in ran.err
    assert desk.publish("--public").code == 0


def test_a_new_column_is_said_to_rewrite_every_file(desk: Desk) -> None:
    desk.publish()
    schema = desk.project / "schemas/letters.py"
    text = schema.read_text("utf-8")
    extra = "    @computed_field\n    @property\n    def length(self) -> int:\n        return len(self.text)\n"
    schema.write_text(
        text.replace("import BaseModel,", "import BaseModel, computed_field,").replace(
            '    mood: Literal["good", "bad"]\n', f'    mood: Literal["good", "bad"]\n\n{extra}'
        ),
        "utf-8",
    )  # fmt: skip
    ran = desk.builder("run")
    assert ran.code == 0, ran.err
    ran = desk.publish()
    assert "the columns changed, so every data file is written anew" in ran.err
    assert "2 of them data; 0 data files stay" in ran.err


def test_a_folder_that_cannot_be_written_is_named(desk: Desk) -> None:
    outputs = desk.project / "outputs"
    kept = desk.root / "kept"
    shutil.move(outputs, kept)
    with sites.tmpfs(outputs, "16m") as mounted:
        shutil.copytree(kept, outputs, dirs_exist_ok=True)
        if mounted:
            sites.remount(outputs, "ro")
        elif os.geteuid() == 0:
            pytest.skip("root writes where nobody may, and this machine mounts nothing")
        else:
            outputs.chmod(0o500)
        ran = desk.publish()
        if not mounted:
            outputs.chmod(0o700)
    assert ran.code == 75
    assert "outputs" in ran.err
    assert ran.err.count("error:") == 1
    assert desk.hub.repos == {}


def test_an_outputs_folder_that_is_none_is_named(desk: Desk) -> None:
    lock = desk.project / "outputs/.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    ran = desk.publish()
    assert ran.code in (4, 75)
    assert ".lock" in ran.err or "outputs" in ran.err
    assert desk.hub.repos == {}


def test_a_card_that_the_hub_refuses_says_where_to_mend_it(tmp_path: Path) -> None:
    with Hub() as hub:
        desk = Desk(tmp_path, hub)
        desk.set_up('[tool.builder.datasets.letter]\nlicense = "my-own"')
        ran = desk.publish()
        assert ran.code == 2
        assert "license" in ran.err
        assert hub.commits == 0


def test_a_project_that_never_exported_says_so(tmp_path: Path) -> None:
    with Hub() as hub:
        desk = Desk(tmp_path, hub)
        projects.write(desk.project, FILES)
        ran = desk.publish()
        assert ran.code == 2
        assert "builder export letter" in ran.err


def test_rows_that_would_change_sides_are_counted_and_wait_for_a_word(desk: Desk) -> None:
    desk.set_up("[tool.builder.datasets.letter]\nsplits = {train = 0.5, test = 0.5}")
    assert desk.publish().code == 0
    files = desk.hub.repos[REPO].commits[-1].files
    data = [path for path in files if path.startswith("letter/data/") and "letters-00000" in path]
    train, test = sorted(data, reverse=True)
    files[train], files[test] = files[test], files[train]
    manifest = json.loads(files["letter/manifest.json"].content)
    assert manifest.pop("splits_by") == 2
    files["letter/manifest.json"] = replace(
        files["letter/manifest.json"], content=json.dumps(manifest).encode()
    )
    refused = desk.publish()
    assert refused.code == 2
    assert "40 rows of letter would change sides" in refused.err
    assert "--resplit" in refused.err
    assert desk.hub.commits == 1
    assert desk.publish("--resplit").code == 0
    assert desk.hub.commits == 2
    assert "nothing changed" in desk.publish().err
