"""The door for engines, samplers and gates of other packages: what fits enters, the rest is named."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from builder import plugins
from builder.engines.protocol import Engine
from builder.engines.registry import ENGINES
from builder.errors import InputError
from builder.plugins import PlugPoint, misfits
from builder.quality.gates import GATES
from builder.sampling.samplers import SAMPLERS
from tests import projects

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "plugin"
ANSWER = f"""#!{sys.executable} -SE
import json, sys
body = json.load(sys.stdin)
assert body["schema"]["properties"]["text"]
tone = body["messages"][-1]["content"].split()[-1]
print(json.dumps({{"text": f"A letter, its tone {{tone}}, ends here."}}))
"""
SETTINGS = """\
[tool.builder]
model = "program:tools/answer.py"
[tool.builder.datasets.letter]
format = "jsonl"
"""
SCENARIO = """\
schema: Letter
vary:
  tone: [glad, sad, calm]
draw:
  - wait: {triangular: [1, 2, 10]}
expect:
  endings: {whole: 0.95}
  diversity: {distinct_1: 0, distinct_2: 0, vendi: 0, near_duplicates: 1}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the example was installed, as a user would do it."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "plugin")
    site = folder / "site"
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command += ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*command, str(folder / "plugin")], check=True, timeout=120)
    return site


def example(folder: Path) -> Path:
    """A project that uses the example's engine, sampler and gate."""
    root = projects.write(
        folder,
        {
            "pyproject.toml": SETTINGS,
            "scenarios/letters.yaml": SCENARIO,
            "tools/answer.py": ANSWER,
        },
    )
    (root / "tools" / "answer.py").chmod(0o755)
    return root


def test_the_example_plans_runs_and_checks_when_installed(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    root = example(tmp_path)
    assert projects.process(root, "plan", PYTHONPATH=str(installed)).code == 0
    ran = projects.run(root, "run")
    assert ran.code == 0, ran.err
    (data,) = (root / "outputs" / "letter" / "data").iterdir()
    rows = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    assert len(rows) == 3
    for row in rows:
        assert row["text"].endswith("ends here.")
        assert 1 <= row["wait"] <= 10
    checked = projects.run(root, "check", "letter", "--json", "-")
    assert checked.code == 0, checked.err
    findings = {finding["gate"]: finding for finding in json.loads(checked.out)["findings"]}
    assert (findings["endings.whole"]["limit"], findings["endings.whole"]["verdict"]) == (
        0.95,
        "pass",
    )
    manifest = json.loads((root / "outputs" / "letter" / "manifest.json").read_text("utf-8"))
    assert manifest["models"] == ["program:answer.py"]


def test_what_is_not_installed_is_named_with_what_is(tmp_path: Path) -> None:
    ran = projects.run(example(tmp_path), "plan")
    assert ran.code == 2
    assert "there is no sampler 'triangular'" in ran.err or "no gate 'endings'" in ran.err
    with pytest.raises(InputError, match="They are: anthropic, fake, local, openai"):
        ENGINES.load("program")
    with pytest.raises(InputError, match=r"no engine 'opneai'\. Did you mean 'openai'\?"):
        ENGINES.load("opneai")


GOOD_ENGINE = """
from builder.engines.protocol import Engine
from builder.records import Completion
class Own(Engine):
    async def complete(self, call):
        return Completion(call.key, '{"text": "Dear reader"}', call.request.model)
"""
GOOD_GATE = """
from builder.project.expect import Measure
class Own:
    name, asks = "own", "is it so?"
    measures = (Measure("share", 0.5, upper=True, meaning="it is not so"),)
    def __call__(self, evidence, limits): return []
"""
GOOD_SAMPLER = """
from builder.sampling.sampler import Sampler
class Own(Sampler):
    fitted = False
    @staticmethod
    def options(given): return {}
    @staticmethod
    def fit(table, options, rng): return {}
    @staticmethod
    def width(arrays): return 1
    @staticmethod
    def draw(arrays, u): raise NotImplementedError
"""
FILES = {
    "engine": ("pyproject.toml", '[tool.builder]\nmodel = "own:m"\n'),
    "sampler": ("scenarios/letters.yaml", "schema: Letter\ndraw:\n  - wait: {own: 3}\n"),
    "gate": ("rows.jsonl", '{"text": "one"}\n'),
}
"""What makes a project use the object that is named `own`."""


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, *points: str, package: str = "strange"
) -> None:
    """Puts a package with one module on the path, as if it were installed: `group: name = value`."""
    info = folder / package / f"{package}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", "utf-8"
    )
    lines = [f"[{group}]\n{point}\n" for group, _, point in (p.partition(": ") for p in points)]
    (info / "entry_points.txt").write_text("".join(lines), "utf-8")
    (folder / package / f"{package}_module.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(str(folder / package))
    monkeypatch.delitem(sys.modules, f"{package}_module", raising=False)


@pytest.mark.parametrize(
    ("noun", "code", "fault"),
    [
        ("engine", GOOD_ENGINE.replace("complete", "finish"), "does not fit: complete is missing"),
        ("engine", GOOD_ENGINE.replace("async def", "def"), "does not fit: complete is no `async def`"),
        ("engine", "import gone_away\n", "does not load: ModuleNotFoundError: No module named 'gone_away'"),
        ("engine", "Own = 3\n", "does not fit: it is no class"),
        ("sampler", GOOD_SAMPLER.replace("def width", "def wide"), "does not fit: width is missing"),
        ("sampler", GOOD_SAMPLER.replace("(arrays, u)", "(arrays)"), "does not fit: draw takes (arrays), not (arrays, u)"),
        ("sampler", "raise RuntimeError('two\\nlines')\n", "does not load: RuntimeError: two lines"),
        ("gate", GOOD_GATE.replace("__call__", "call"), "does not fit: __call__ is missing"),
        ("gate", GOOD_GATE.replace("(self, evidence, limits)", "(self, evidence)"), "does not fit: __call__ takes (evidence), not (evidence, limits)"),
        ("gate", GOOD_GATE.replace('asks = "own",', 'asks = "its",'), "does not fit: its name is 'its', unlike its entry point's"),
        ("gate", "from builder.quality import gone\n", "does not load: ImportError: cannot import name 'gone'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line_that_names_package_and_fault(
    noun: str, code: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = f"builder.{noun}s"
    install(tmp_path / "site", monkeypatch, code, f"{group}: own = strange_module:Own")
    root = projects.write(tmp_path / "project", dict([FILES[noun]]))
    ran = projects.run(root, *(["check", "rows.jsonl"] if noun == "gate" else ["plan"]))
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert f"{noun} 'own' of strange 1.2 ({group}: own = strange_module:Own) {fault}" in line
    assert "Traceback" not in ran.err


def test_an_engine_needs_no_more_than_to_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path / "site", monkeypatch, GOOD_ENGINE, "builder.engines: own = strange_module:Own"
    )
    root = projects.write(tmp_path / "project", dict([FILES["engine"]]))
    ran = projects.run(root, "run")
    assert ran.code == 0, ran.err
    assert projects.held(root) == 2


def test_no_package_takes_over_a_name_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = "builder.engines: fake = strange_module:Own", "builder.samplers: normal = gone:Own"
    install(tmp_path, monkeypatch, GOOD_ENGINE, *points)
    assert ENGINES.load("fake").__module__ == "builder.engines.fake"
    assert SAMPLERS.load("normal").__module__ == "builder.sampling.declared"
    assert list(ENGINES.every()) == ["anthropic", "fake", "local", "openai"]


def test_a_name_that_two_packages_bring_is_refused_with_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("first", "second"):
        point = f"builder.engines: own = {package}_module:Own"
        install(tmp_path, monkeypatch, GOOD_ENGINE, point, package=package)
    both = "engine 'own' is brought by (first|second) 1.2 and (first|second) 1.2: uninstall one"
    with pytest.raises(InputError, match=both):
        ENGINES.load("own")


def test_what_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "own" not in ENGINES
    assert ENGINES.names() == ENGINES.ours()
    install(tmp_path, monkeypatch, GOOD_ENGINE, "builder.engines: own = strange_module:Own")
    assert "own" in ENGINES
    assert set(ENGINES.names()) - set(ENGINES.ours()) == {"own"}
    assert ENGINES.load("own") is ENGINES.load("own")


def test_a_group_that_the_installed_package_does_not_know_says_how_to_install_it() -> None:
    stale: PlugPoint[type[Engine]] = PlugPoint("engine", "builder.unheard", Engine)
    with pytest.raises(InputError, match="text-dataset-builder is not installed with its"):
        stale.load("fake")


def test_a_name_of_ours_costs_no_look_at_other_packages() -> None:
    code = (
        "import importlib.metadata as metadata\n"
        "def look(**_): raise AssertionError('looked at every package')\n"
        "metadata.entry_points = look\n"
        "from builder.engines.registry import ENGINES\n"
        "from builder.sampling.samplers import SAMPLERS\n"
        "for name in ENGINES.ours(): assert name in ENGINES and ENGINES.load(name)\n"
        "assert SAMPLERS.load('normal')\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


class Shape(Protocol):
    """One member of each kind."""

    depth: ClassVar[int]

    @property
    def name(self) -> str: ...

    @classmethod
    def of(cls, text: str) -> Shape: ...

    @staticmethod
    def area(width: float, height: float) -> float: ...

    def __call__(self, n: int, *, loud: bool) -> str: ...


class Square:
    depth = 2
    name = "square"

    @classmethod
    def of(cls, text: str) -> Square:
        return cls()

    @staticmethod
    def area(width: float, height: float = 1.0) -> float:
        return width * height

    def __call__(self, n: int, loud: bool = False, more: str = "") -> str:
        return ""


def variant(**members: object) -> object:
    """An instance of a Square in which these members are others; None leaves one out."""
    rest = {name: member for name, member in vars(Square).items() if name not in members}
    return type("Variant", (), {**rest, **{k: v for k, v in members.items() if v is not None}})()


@pytest.mark.parametrize(
    ("members", "faults"),
    [
        ({}, []),
        ({"depth": None}, ["depth is missing"]),
        ({"name": None, "area": None}, ["name is missing", "area is missing"]),
        ({"of": 3}, ["of is no method"]),
        ({"area": staticmethod(lambda width: 0)}, ["area takes (width), not (width, height)"]),
        ({"area": staticmethod(lambda *sides: 0)}, []),
        ({"of": staticmethod(lambda text: 0)}, []),
        ({"of": classmethod(lambda cls: 0)}, ["of takes (), not (text)"]),
        ({"__call__": lambda self, n: ""}, ["__call__ takes (n), not (n, loud=)"]),
        ({"__call__": lambda self, n, m, *, loud: ""}, ["__call__ takes (n, m, loud=), not (n, loud=)"]),
    ],
)  # fmt: skip
def test_an_object_is_compared_member_by_member(
    members: dict[str, object], faults: list[str]
) -> None:
    assert list(misfits(variant(**members), Shape, instance=True)) == faults


def test_classes_and_instances_are_told_apart() -> None:
    assert list(misfits(Square, Shape, instance=True)) == ["it is a class"]
    assert list(misfits(Square(), Shape, instance=False)) == ["it is no class"]
    assert list(misfits(Square, Shape, instance=False)) == []


def test_a_method_that_is_called_on_the_class_must_not_want_an_instance() -> None:
    class Loose(Square):
        def area(self, width: float, height: float) -> float:  # type: ignore[override]
            return 0.0

    (fault,) = misfits(Loose, Shape, instance=False)
    assert fault == "area takes (self, width, height), not (width, height)"


@pytest.mark.parametrize("plug", [ENGINES, SAMPLERS, GATES], ids=lambda plug: plug.noun)
def test_everything_of_ours_passes_the_door(plug: PlugPoint[object]) -> None:
    for name in plug.ours():
        assert not list(misfits(plug.load(name), plug.protocol, instance=plug.instances))
        assert plug.point(name).dist.name == plugins.DISTRIBUTION  # type: ignore[union-attr]


def test_the_guide_shows_the_example_as_it_is() -> None:
    blocks = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs/plugins.md").read_text("utf-8"), re.S)
    shown = [text for language, text in blocks if language in ("toml", "python")]
    files = ["pyproject.toml", *(f"builder_example/{n}.py" for n in ("engine", "sampler", "gate"))]
    for file in files:
        assert (EXAMPLE / file).read_text("utf-8") in shown, file
