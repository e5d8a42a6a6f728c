"""manifest.json and releases.json: typed, described by a JSON Schema, read by later versions."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from builder.dataset import files, history, manifests
from builder.dataset.history import Change, Release
from builder.dataset.manifests import Manifest
from tests import projects

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA = projects.SCHEMA.replace("BaseModel, Field", "BaseModel, Field, field_validator") + (
    "\n    @field_validator('text')\n    @classmethod\n    def never_four(cls, value: str) -> str:\n"
    "        if len(value) % 4 == 0:\n            raise ValueError('four')\n        return value\n"
)
FILES = {
    "pyproject.toml": f"{projects.SETTINGS}\n[tool.builder.datasets.letter]\nprompts = true\n"
    'title = "Some letters"\nlanguages = ["en"]\nsplits = {train = 0.5, test = 0.5}\n',
    "schemas/letters.py": SCHEMA,
    "scenarios/letters.yaml": "# Letters of\n# both tones.\nschema: Letter\nrows: 10 each\nvary:\n  tone: [glad, sad]\n",
    "scenarios/more.yaml": "prompt: letters\nschema: Letter\nrows: 4\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset's folder, made once."""
    folder = projects.write(tmp_path_factory.mktemp("telling_name"), FILES)
    assert projects.run(folder, "run").code == 0
    return folder / "outputs/letter"


def manifest_of(folder: Path) -> Manifest:
    manifest = manifests.read(folder)
    assert manifest is not None
    return manifest


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("manifest", Manifest.model_json_schema()),
        ("releases", history.RELEASES.json_schema()),
    ],
)
def test_the_checked_in_schemas_are_the_codes(name: str, schema: dict[str, Any]) -> None:
    held = json.loads((DOCS / f"{name}.schema.json").read_text("utf-8"))
    assert held == schema, f"write {name}.schema.json anew"
    jsonschema.Draft202012Validator.check_schema(held)


def test_a_manifest_obeys_its_schema_and_is_written_as_it_was_read(exported: Path) -> None:
    content = (exported / "manifest.json").read_bytes()
    schema = json.loads((DOCS / "manifest.schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads(content), schema)
    assert manifests.parse(content).as_json().encode() == content


def test_a_manifest_says_what_the_folder_holds(exported: Path) -> None:
    manifest = manifest_of(exported)
    assert (manifest.dataset, manifest.version, manifest.format) == ("letter", 1, "parquet")
    assert (manifest.shape, manifest.raw) == ("columns", False)
    assert manifest.rows == sum(manifest.splits.values()) == 24
    assert list(manifest.splits) == ["train", "test"]
    assert [feature["name"] for feature in manifest.features][:2] == ["text", "tone"]
    data = sorted(f"data/{path.name}" for path in (exported / "data").iterdir())
    assert list(manifest.files) == [*data, "rejects.jsonl"]
    for name, file in manifest.files.items():
        content = (exported / name).read_bytes()
        assert file.bytes == len(content)
        assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert manifest.files["rejects.jsonl"].unpacked is None
    assert manifest.files["rejects.jsonl"].loaded == manifest.files["rejects.jsonl"].bytes
    first = manifest.files[data[0]]
    assert first.loaded == first.unpacked == files.unpacked(exported / data[0])


def test_a_manifest_says_how_each_scenario_stands(exported: Path) -> None:
    manifest = manifest_of(exported)
    letters, more = manifest.scenarios["letters"], manifest.scenarios["more"]
    assert letters.about == "Letters of both tones."
    assert more.about == ""
    assert (letters.wanted, letters.accepted, letters.open) == (20, 20, 0)
    assert (letters.short_rows, letters.short_combinations) == (0, 0)
    assert letters.answers == letters.accepted + letters.rejects
    (reason,) = manifest.reject_reasons
    assert (reason.stage, reason.reason) == ("validate", "text: four")
    assert reason.count == letters.rejects + more.rejects > 0
    assert manifest.origins == {"tone": "an axis"}
    assert manifest.axes["tone"].values == {"glad": 10, "sad": 10}
    assert manifest.axes["tone"].distinct == 2


def test_a_manifest_says_what_it_was_made_from_and_no_place_on_this_machine(
    exported: Path,
) -> None:
    manifest = manifest_of(exported)
    assert list(manifest.sources) == [
        "prompts/letters.j2", "scenarios/letters.yaml", "scenarios/more.yaml", "schemas/letters.py",
    ]  # fmt: skip
    assert manifest.prompts == {"prompts/letters.j2": projects.PROMPT}
    assert manifest.card.title == "Some letters"
    assert manifest.models == ["fake:any"]
    assert manifest.answered_by == ["fake"]
    assert manifest.usd == 0
    assert manifest.output_tokens > 0
    assert manifest.first_answer is not None
    assert manifest.last_answer is not None
    assert manifest.first_answer <= manifest.last_answer
    assert manifest.first_answer.endswith("+00:00")
    assert set(manifest.versions) == {"text-dataset-builder", "pydantic", "jinja2"}
    for path in exported.rglob("*"):
        if path.is_file():
            assert b"telling_name" not in path.read_bytes(), path


def _without(name: str) -> Callable[[str], str]:
    def drop(text: str) -> str:
        fields = json.loads(text)
        del fields[name]
        return json.dumps(fields)

    return drop


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:100],
        lambda _: "[]",
        lambda text: text.replace('"rows": 24', '"rows": "many"'),
        lambda text: text.replace("{", '{"version": 2,', 1),
        _without("axes"),
        _without("files"),
        _without("content"),
    ],
)
def test_what_somebody_else_wrote_is_no_manifest(
    exported: Path, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    folder = tmp_path / "letter"
    shutil.copytree(exported, folder)
    file = folder / "manifest.json"
    file.write_text(damage(file.read_text("utf-8")), "utf-8")
    assert manifests.load(folder) is None
    with pytest.raises(ValueError, match="Manifest"):
        manifests.parse(file.read_bytes())


def test_a_manifest_vouches_for_every_file(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "letter"
    shutil.copytree(exported, folder)
    rejects = folder / "rejects.jsonl"
    content = rejects.read_bytes()
    rejects.write_bytes(content + b"\n")
    assert manifests.read(folder) is None
    rejects.write_bytes(content)
    assert manifests.read(folder) == manifests.load(folder) is not None
    rejects.unlink()
    assert manifests.read(folder) is None
    (folder / "manifest.json").unlink()
    assert manifests.load(folder) is None


def test_shares_beyond_the_most_frequent_are_summed_up() -> None:
    most = manifests.VALUES
    axis = manifests.shares(Counter({number: number for number in range(1, most + 3)}))
    assert len(axis.values) == most
    assert list(axis.values)[:2] == [str(most + 2), str(most + 1)]
    assert (axis.other, axis.distinct) == (1 + 2, most + 2)


def test_an_example_is_cut_where_it_is_long() -> None:
    whole: dict[str, Any] = {
        "a": "x" * manifests.TEXT,
        "b": list(range(manifests.ITEMS)),
        "c": None,
    }
    assert manifests.shorten(whole) == whole
    longer: dict[str, Any] = {
        "a": "x" * (manifests.TEXT + 1),
        "b": list(range(manifests.ITEMS + 1)),
    }
    assert manifests.shorten(longer) == {"a": "x" * (manifests.TEXT - 1) + "…", "b": whole["b"]}


def test_releases_are_written_as_they_were_read() -> None:
    release = Release(tag="v1", date="2026-01-02", rows=3, content="c", since=None, changes={})
    change = Change(added=1, removed=0, changed=0)
    later = release.model_copy(update={"tag": "v2", "since": "v1", "changes": {"a": change}})
    text = history.as_json([release, later])
    assert json.loads(text)[0] == {
        "tag": "v1", "date": "2026-01-02", "rows": 3, "content": "c", "since": None, "changes": {},
    }  # fmt: skip
    assert history.parse(text) == [release, later]
    old = '[{"tag": "v0", "date": "", "rows": 1, "changes": {"a": {"added": 1}}}]'
    assert json.loads(history.as_json(history.parse(old))) == json.loads(old)
    assert bool(change)
    assert not Change()
    for wrong in ("7", '["v1"]', '{"tag": "v1"}', '[{"tag": "v1"}]'):
        with pytest.raises(ValueError, match="validation error"):
            history.parse(wrong)
