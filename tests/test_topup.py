from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import store
from builder.plan import requests
from builder.project.settings import Project
from builder.quality import contexts, topups
from builder.verbs import check
from tests import complaints, projects
from tests.complaints import PROMPT, ROWS, SCENARIO, Follows, quoted, share_of_ceiling
from tests.provider import Provider

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Follows() as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, provider: Provider) -> Path:
    return complaints.site(tmp_path, provider.url)


def test_rounds_reach_the_ceiling_and_quote_nothing(site: Path, provider: Provider) -> None:
    assert share_of_ceiling(site) == pytest.approx(0.5, abs=0.08)
    before = provider.calls
    ran = projects.run(site, "topup", "letters", "--reference", "real.jsonl")
    assert ran.code == 0, ran.err
    assert ran.out.strip().endswith("outputs/complaint")
    assert share_of_ceiling(site) >= 0.9
    assert "round 1: " in ran.err
    assert "round 4: " not in ran.err
    assert provider.calls - before <= 3 * ROWS
    assert not quoted(site)
    # The base scenario and its rows are as they were; the new rows say what they are about.
    assert projects.run(site, "run", "letters", "--quiet").code == 0
    made = requests.plan(Project.find(site), ["letters"])
    assert [s.name for s in made.datasets[0].scenarios] == ["letters", "letters_topup"]
    with store.reading(made.project.store) as held:
        rows = check.gather(made.datasets[0], held).rows
    foci = rows.column("focus").values.tolist()
    assert foci[:ROWS] == [None] * ROWS
    assert all(foci[ROWS:])
    # Run again it asks nothing, for the ceiling is reached or nothing is thin.
    calls = provider.calls
    again = projects.run(site, "topup", "letters", "--reference", "real.jsonl", "--rounds", "1")
    assert again.code == 0
    if "round 1" not in again.err:
        assert provider.calls == calls


def test_a_template_without_focus_gets_one_beside_it(site: Path) -> None:
    ran = projects.run(site, "topup", "letters", "--reference", "real.jsonl", "--rounds", "1")
    assert ran.code == 0, ran.err
    prompt = (site / "prompts" / "letters_topup.j2").read_text("utf-8")
    assert '{% include "letters.j2" %}' in prompt
    assert "{{ focus }}" in prompt
    assert 'prompt: "letters_topup"' in (site / "scenarios/letters_topup.yaml").read_text("utf-8")
    shown = projects.run(site, "plan", "letters_topup", "--show", "1").out
    assert "A angry complaint" in shown or "A calm complaint" in shown
    assert "Write about what these words point to: " in shown


def test_a_template_that_knows_focus_is_used_as_it_is(site: Path) -> None:
    own = PROMPT + "{% if focus is defined %}It is about {{ focus }}.{% endif %}\n"
    (site / "prompts" / "letters.j2").write_text(own, "utf-8")
    ran = projects.run(site, "topup", "letters", "--reference", "real.jsonl", "--rounds", "1")
    assert ran.code == 0, ran.err
    assert not (site / "prompts" / "letters_topup.j2").exists()
    assert 'prompt: "letters"' in (site / "scenarios/letters_topup.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% user %}\nhello\n{% enduser %}", ["{% user %}", "{% enduser %}", "Write about"]),
        ("hello", ["Write about"]),
        ("写一条投诉,语气{{ tone }}", ["围绕以下词语"]),
    ],
)
def test_the_prompt_speaks_the_base_prompts_language(source: str, expected: list[str]) -> None:
    made = topups.prompt("base", source)
    assert all(part in made for part in expected)
    assert ("{% user %}" in made) == ("{% user %}" in source)


def test_a_file_that_people_changed_is_left_alone(site: Path, provider: Provider) -> None:
    words = ("topup", "letters", "--reference", "real.jsonl", "--rounds", "1")
    assert projects.run(site, *words).code == 0
    file = site / "scenarios" / "letters_topup.yaml"
    mended = file.read_text("utf-8").replace("# Each focus", "# Mended. Each focus")
    file.write_text(mended, "utf-8")
    calls = provider.calls
    ran = projects.run(site, *words)
    assert ran.code == 2
    assert "letters_topup.yaml:1:1: " in ran.err
    assert "rename it" in ran.err
    assert file.read_text("utf-8") == mended
    assert provider.calls == calls


def test_a_second_run_keeps_the_foci_of_the_first(site: Path) -> None:
    words = ("topup", "letters", "--reference", "real.jsonl", "--rounds", "1", "--rows", "8")
    assert projects.run(site, *words).code == 0
    first = topup_foci(site)
    assert projects.run(site, *words).code == 0
    second = topup_foci(site)
    assert first.items() <= {k: min(v, first.get(k, v)) for k, v in second.items()}.items()
    assert sum(second.values()) > sum(first.values())


def topup_foci(site: Path) -> dict[str, int]:
    from builder.project import documents
    from builder.project.words import Words

    words = Words.read(documents.read(site / "scenarios" / "letters_topup.yaml"))
    return {str(k): int(v) for k, v in words.vary["focus"].items()}


def test_a_budget_stops_all_rounds_and_running_again_goes_on(site: Path) -> None:
    words = ("topup", "letters", "--reference", "real.jsonl")
    ran = projects.run(site, *words, "--budget", "1000tok")
    assert ran.code == 75, ran.err
    assert "budget" in ran.err
    ran = projects.run(site, *words)
    assert ran.code == 0, ran.err
    assert share_of_ceiling(site) >= 0.9


@pytest.mark.parametrize(
    ("words", "files", "message"),
    [
        (("lettrs",), {}, "Did you mean 'letters'?"),
        (("letters",), {}, "letters has no reference texts"),
        (("letters", "--reference", "gone.jsonl"), {}, "gone.jsonl not found"),
        (("letters", "--reference", "few.jsonl"), {"few.jsonl": '{"text": "so short"}\n'}, "too few"),
        (
            ("letters", "--reference", "real.jsonl"),
            {"scenarios/letters.yaml": SCENARIO.replace("tone:", "focus: [x]\n  tone:")
             + "unused: [focus]\n"},
            "letters has a 'focus' of its own",
        ),
        (("letters", "--reference", "real.jsonl", "--model", "nobody:x"), {}, "nobody"),
    ],
)  # fmt: skip
def test_what_cannot_be_topped_up_says_so_and_writes_nothing(
    site: Path, words: tuple[str, ...], files: dict[str, str], message: str
) -> None:
    for name, content in files.items():
        (site / name).write_text(content, "utf-8")
    ran = projects.run(site, "topup", *words)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (site / "scenarios" / "letters_topup.yaml").exists()
    assert not (site / "prompts" / "letters_topup.j2").exists()


def test_the_context_of_a_dataset_knows_its_texts_and_axes(site: Path) -> None:
    made = requests.plan(Project.find(site), ["letters"])
    found = contexts.of_dataset(made.datasets[0])
    assert found.text == ("text",)
    assert found.axes == ("tone",)
    assert found.planned == {("angry",): ROWS // 2, ("calm",): ROWS // 2}
