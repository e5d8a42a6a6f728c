"""The card: valid for the Hub, readable for people, and inert whatever a file or a model says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.dataset import card, manifests, markdown
from builder.dataset.manifests import report_of
from builder.dataset.sections import Facts
from builder.quality import report_file
from tests import projects

pytestmark = pytest.mark.slow

SETTINGS = """\
[tool.builder.datasets.letter]
title = "Letters: of *both* tones"
about = "What people write | when <b>moved</b>."
languages = ["en", "zh"]
license = "cc-by-4.0"
tasks = ["text-generation", "text-classification"]
splits = {train = 0.5, test = 0.5}
"""
SCENARIO = (
    "# Letters of both tones.\nschema: Letter\nvary:\n  n: {}\n  tone: [glad, '|a `b` <i>']\n"
)
FINDINGS = [
    {"gate": "diversity.distinct_2", "what": "", "value": 0.61, "limit": 0.2, "verdict": "pass", "advice": ""},
    {"gate": "drift.ks", "what": "amount <b>", "value": None, "limit": None, "verdict": "too-few-rows", "advice": ""},
]  # fmt: skip
EVIL = ["```\n# owned", "</script><script>alert(1)</script>", "[x](javascript:x)", "| a | b |", "---", "~~~", "\r\n````"]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    projects.write(
        tmp_path,
        {
            "pyproject.toml": f"{projects.SETTINGS}\n{SETTINGS}",
            "prompts/letters.j2": "Write letter {{ n }}, {{ tone }}.\n",
            "scenarios/letters.yaml": SCENARIO.format(list(range(30))),
        },
    )
    assert projects.run(tmp_path, "run").code == 0
    return tmp_path / "outputs/letter"


def facts(folder: Path, **more: Any) -> Facts:
    manifest = manifests.parse((folder / "manifest.json").read_bytes())
    return Facts(manifest, report_of(folder, manifest), **more)


def test_the_hub_client_reads_the_metadata(folder: Path) -> None:
    from huggingface_hub import DatasetCard

    data = DatasetCard.load(folder / "README.md").data.to_dict()
    assert data["language"] == ["en", "zh"]
    assert data["license"] == "cc-by-4.0"
    assert data["multilinguality"] == ["multilingual"]
    assert data["task_categories"] == ["text-classification", "text-generation"]
    assert data["size_categories"] == ["n<1K"]
    assert "synthetic" in data["tags"]
    (info,) = data["dataset_info"]
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    counts = {split["name"]: split["num_examples"] for split in info["splits"]}
    assert counts == manifest["splits"]
    assert sum(counts.values()) == 60
    stored = sum(path.stat().st_size for path in (folder / "data").iterdir())
    assert info["download_size"] == stored
    assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"])


def test_datasets_reads_configs_and_features_off_the_metadata(folder: Path) -> None:
    import datasets
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    data = DatasetCard.load(folder / "README.md").data
    assert list(MetadataConfigs.from_dataset_card_data(data)) == ["letter"]
    info = DatasetInfosDict.from_dataset_card_data(data)["letter"]
    loaded = datasets.load_dataset(str(folder), cache_dir=str(folder.parents[1] / "cache"))
    assert {name: split.num_examples for name, split in info.splits.items()} == loaded.num_rows
    assert all(split.features == info.features for split in loaded.values())


def test_people_find_what_it_is_and_how_it_was_made(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    for part_ in (
        "Letters of both tones.", "## Scenarios", "## Axes", "plots/axes.svg", "## How it was made",
        "fake:any", "## Gates", "Nobody has run the gates", "## Known limits", "builder run letters",
        "builder export letter", "```bibtex", "glad 50.0%", "| test |",
    ):  # fmt: skip
        assert part_ in text, part_


def test_rejects_stand_with_their_reasons(tmp_path: Path) -> None:
    schema = projects.SCHEMA + (
        "\n    @field_validator('text')\n    @classmethod\n    def never(cls, value: str) -> str:\n"
        "        if len(value) % 2:\n            raise ValueError('odd ``` and <b>')\n        return value\n"
    )
    schema = schema.replace("import BaseModel, Field", "import BaseModel, Field, field_validator")
    projects.write(
        tmp_path, {"schemas/letters.py": schema, "scenarios/letters.yaml": "schema: Letter\nrows: 30\n"}
    )  # fmt: skip
    projects.run(tmp_path, "run")
    text = (tmp_path / "outputs/letter/README.md").read_text("utf-8")
    assert "Why answers were rejected" in text
    assert "odd ``` and <b>" in text
    assert "\n````\n" in text


def test_gates_appear_with_figures_and_a_plot_once_they_were_measured(folder: Path) -> None:
    records = facts(folder).manifest.records
    report = {
        "rows": 60, "findings": FINDINGS, "not_looked_for": "names", "basis": {"records": records},
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(report), "utf-8")
    assert projects.run(folder.parents[1], "export").code == 0
    text = (folder / "README.md").read_text("utf-8")
    assert "| diversity.distinct\\_2 |" in text
    assert "every gate holds" in text
    assert "Personal data that was not looked for: names." in text
    for name in ("axes", "gates"):
        ElementTree.parse(folder / f"plots/{name}.svg")


def test_each_gate_is_shown_by_the_figure_that_is_nearest_to_its_limit(folder: Path) -> None:
    figures = [
        ("diversity.distinct_2", 0.6),
        ("drift.ks", 0.02),
        ("drift.ks", 0.19),
        ("drift.ks", 0.1),
    ]
    findings = [
        {"gate": gate, "what": f"c{at}", "value": value, "limit": 0.2, "verdict": "pass", "advice": ""}
        for at, (gate, value) in enumerate(figures)
    ]  # fmt: skip
    report = report_file.parse(json.dumps({"rows": 60, "findings": findings}).encode())
    text = card.render([Facts(facts(folder).manifest, report)])
    shown, _, every = text.partition("<details>")
    assert "| drift.ks | c2 | 0.19 | ≤0.2 | pass | 3 |" in shown
    assert "| diversity.distinct\\_2 | c0 | 0.6 | ≥0.2 | pass | 1 |" in shown
    assert "| drift.ks | c1 |" not in shown
    assert "All 4 figures" in every
    assert all(f"| c{at} |" in every for at in range(4))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:200],
        lambda _: "",
        lambda _: "[]",
        lambda text: text.replace('"verdict"', '"verdicu"'),
        lambda text: text.replace('"pass"', '"pasr"'),
        lambda text: text.replace('"records"', '"recorer"'),
        lambda text: text.replace('"records": "', '"records": "0'),
    ],
)
def test_a_damaged_report_is_no_report(folder: Path, damage: Callable[[str], str]) -> None:
    projects.run(folder.parents[1], "check", "letter")
    manifest = facts(folder).manifest
    report = folder / "report.json"
    assert report_of(folder, manifest) is not None
    report.write_text(damage(report.read_text("utf-8")), "utf-8")
    assert report_of(folder, manifest) is None


def test_figures_of_gates_over_other_rows_are_taken_away(folder: Path) -> None:
    project = folder.parents[1]
    projects.run(project, "check", "letter")
    assert (folder / "plots/gates.svg").is_file()
    scenario = project / "scenarios/letters.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("glad, ", "glad, calm, "), "utf-8")
    assert projects.run(project, "run").code == 0
    assert "Nobody has run the gates" in (folder / "README.md").read_text("utf-8")
    assert not (folder / "plots/gates.svg").exists()


def test_checking_a_dataset_brings_its_card_up_to_date(folder: Path) -> None:
    projects.run(folder.parents[1], "check", "letter")
    text = (folder / "README.md").read_text("utf-8")
    assert "Measured over 60 rows" in text


def test_names_and_values_are_escaped(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    assert "What people write \\| when &lt;b&gt;moved&lt;/b&gt;." in text
    assert "\\|a \\`b\\` &lt;i&gt;" in text
    assert "# Letters: of \\*both\\* tones" in text


@pytest.mark.parametrize("evil", EVIL)
def test_what_a_model_wrote_cannot_leave_its_fence(folder: Path, evil: str) -> None:
    from markdown_it import MarkdownIt

    one = facts(folder)
    reason = manifests.RejectReason(stage="validate", reason=evil, count=3)
    manifest = one.manifest.model_copy(
        update={"example": {"text": evil}, "reject_reasons": [reason]}
    )
    text = card.render([Facts(manifest)])
    body = text.split("---\n", 2)[2]
    tokens = MarkdownIt().parse(body)
    headings = [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]
    plain = MarkdownIt().parse(card.render([one]).split("---\n", 2)[2])
    expected = [plain[i + 1].content for i, t in enumerate(plain) if t.type == "heading_open"]
    assert headings == expected
    outside = "".join(t.content for t in tokens if t.type in ("html_block", "inline"))
    assert "alert(1)" not in outside
    assert "owned" not in outside


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("`~|<>[]()!#*_-=+\\\n\r\t &:/@wx.0"), max_size=60))
def test_any_text_is_inert_as_a_cell_and_in_a_fence(text: str) -> None:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("gfm-like", {"linkify": False})
    cell = markdown.table(["head"], [[f"a{text}"]])
    tokens = parser.parse(cell)
    kinds = {t.type for t in tokens} | {c.type for t in tokens for c in (t.children or [])}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "code_inline", "em_open"}
    assert [t.type for t in tokens].count("tr_open") == 2
    fenced = parser.parse(markdown.fenced(text))
    assert [t.type for t in fenced] == ["fence"]


def test_a_readme_that_was_not_asked_for_again_stays(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert projects.run(folder.parents[1], "export").code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_prompts_are_quoted_where_the_project_asks_for_it_and_nowhere_else(folder: Path) -> None:
    assert "Write letter" not in (folder / "README.md").read_text("utf-8")
    settings = folder.parents[1] / "pyproject.toml"
    settings.write_text(settings.read_text("utf-8") + "prompts = true\n", "utf-8")
    assert projects.run(folder.parents[1], "export").code == 0
    quoted = "```jinja\nWrite letter {{ n }}, {{ tone }}.\n```"
    assert quoted in (folder / "README.md").read_text("utf-8")


def test_columns_of_a_shape_say_what_they_are_made_of(folder: Path) -> None:
    settings = folder.parents[1] / "pyproject.toml"
    shape = 'shape = {as = "text-label", label = "tone"}\n'
    settings.write_text(settings.read_text("utf-8") + shape, "utf-8")
    assert projects.run(folder.parents[1], "export").code == 0
    text = (folder / "README.md").read_text("utf-8")
    assert "| text | string | text: the answer |" in text
    assert "| tone: an axis |" in text


def test_several_datasets_are_one_card(folder: Path) -> None:
    import yaml

    one = facts(folder, prefix="letter/", repository="acme/x")
    manifest = one.manifest.model_copy(update={"dataset": "other"})
    other = Facts(manifest, prefix="other/", repository="acme/x")
    text = card.render([one, other])
    head = yaml.safe_load(text.split("---\n")[1])
    assert [config["config_name"] for config in head["configs"]] == ["letter", "other"]
    assert head["configs"][1]["data_files"][0]["path"].startswith("other/data/")
    assert 'load_dataset("acme/x", "other")' in text
