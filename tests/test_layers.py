"""What may import what: enumerated, so that a new module cannot escape the rules."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

import builder
from builder.project import scenarios, words
from builder.project.settings import Project
from builder.sampling import samplers

ROOT = Path(builder.__file__).parent
PROJECT = ROOT.parent
LAYERS = (
    ("errors", "records", "text", "svg", "io", "jsonschema", "plugins", "extras", "limits"),
    ("stats",),
    ("table",),
    ("project",),
    ("store",),
    ("engines",),
    ("sampling",),
    ("plan",),
    ("results",),
    ("fill",),
    ("quality",),
    ("dataset",),
    ("hub",),
    ("verbs",),
    ("cli", "__main__", "__init__"),
)
"""Each may import from its own line and from those above."""
KNOWN = {
    ("results/estimates.py", "fill.progress.Progress"),
}
"""Imports upwards that are to go."""
HOMES = {
    "aiohttp": ("engines/",),
    "anthropic": ("engines/anthropic.py",),
    "click": ("cli/",),
    "datasets": ("dataset/", "hub/"),
    "filelock": ("store/lock.py",),
    "genai_prices": ("engines/prices.py",),
    "httpx2": ("engines/", "hub/remote.py"),
    "huggingface_hub": ("dataset/", "hub/"),
    "jinja2": (
        "project/prompts.py",
        "project/printed.py",
        "project/template_errors.py",
        "project/sandbox.py",
    ),
    "json_repair": ("results/extract.py",),
    "jsonlines": ("dataset/",),
    "IPython": ("verbs/monitor.py",),
    "onnx": ("stats/minilm.py",),
    "onnxruntime": ("stats/minilm.py",),
    "openai": ("engines/openai.py",),
    "pandas": ("verbs/result.py",),
    "pyarrow": ("dataset/", "table/"),
    "python_calamine": ("table/reader.py",),
    "rich": ("cli/bars.py",),
    "ruamel": ("project/documents.py",),
    "scipy": ("sampling/", "stats/"),
    "sklearn": ("sampling/", "stats/"),
    "sqlite3": ("store/",),
    "tenacity": ("fill/retry.py",),
    "tokenizers": ("stats/minilm.py",),
    "threadpoolctl": ("stats/threads.py",),
    "xllamacpp": ("engines/local.py",),
    "yaml": ("dataset/card.py",),
}
"""Where a package may be imported; the others anywhere."""
ANYWHERE = {"numpy", "orjson", "pydantic", "pydantic_core"}
HEAVY = (
    "openai",
    "anthropic",
    "datasets",
    "pyarrow",
    "sklearn",
    "scipy",
    "xllamacpp",
    "huggingface_hub",
)
SHIPPED = sorted(p for p in (PROJECT / "scenarios").glob("*.y*ml"))
MODULES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.py"))


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """Every module that a module imports, under types too, and whether it does so on being imported."""
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    at_once = {id(node) for statement in tree.body for node in _now(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in at_once
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            for name in node.names:
                yield f"{node.module}.{name.name}", id(node) in at_once


def _now(statement: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
        return
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from ast.walk(statement)


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


def test_every_module_has_a_layer() -> None:
    tops = {module.split("/")[0].removesuffix(".py") for module in MODULES}
    assert tops <= {name for names in LAYERS for name in names}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    own = layer(module.split("/", maxsplit=1)[0].removesuffix(".py"))
    for name, _ in imports(module):
        package, _, rest = name.partition(".")
        if package == "builder" and own < len(LAYERS) - 1:
            if (module, rest) in KNOWN:
                continue
            assert layer(rest.split(".")[0]) <= own, f"{module} imports {name}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {file for name, _ in imports(module) if (file := _file(name))} for module in MODULES
    }
    TopologicalSorter(graph).prepare()


def _file(name: str) -> str:
    """The module of the package that an import of this name reads; empty for other packages."""
    steps = name.split(".")
    if steps[0] != "builder":
        return ""
    inner = steps[1:]
    paths = ("/".join(inner[:end]) for end in range(len(inner), 0, -1))
    files = (file for path in paths for file in (f"{path}.py", f"{path}/__init__.py"))
    return next((file for file in files if file in MODULES), "__init__.py")


@pytest.mark.parametrize("module", MODULES)
def test_a_package_is_imported_at_its_home_alone(module: str) -> None:
    for name, _ in imports(module):
        package = name.split(".")[0]
        if package in HOMES:
            assert module.startswith(HOMES[package]), f"{module} imports {package}"
        elif package not in sys.stdlib_module_names:
            assert package in {"builder", *ANYWHERE}, f"{package} has no home"


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_are_imported_where_they_are_used(module: str) -> None:
    if module.startswith("run/engines/") or module == "dataset/arrow.py":
        return  # these are themselves imported where they are used
    for name, at_once in imports(module):
        assert not (at_once and name.split(".")[0] in HEAVY), f"{module} imports {name} at once"


@pytest.mark.parametrize("module", MODULES)
def test_only_the_command_line_prints(module: str) -> None:
    if module.startswith("cli/"):
        return
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called != "print"
            assert not called.startswith(("sys.stdout.", "sys.stderr."))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_at_most_400_lines(module: str) -> None:
    assert len((ROOT / module).read_text("utf-8").splitlines()) <= 400


def test_importing_loads_nothing_heavy() -> None:
    named = "; ".join(f"builder.{name}" for name in builder.__all__ if name != "Fake")
    for code in ("import builder", f"import builder; {named}", "import builder.engines.fake"):
        check = f"{code}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", check], capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n", code


@pytest.mark.parametrize("words", [["--help"], ["plan"], ["plan", "--json"], ["init", "x"]])
def test_a_command_that_asks_nothing_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom builder import cli\n"
        f"sys.argv = ['builder', *{words!r}]\n"
        "try:\n    cli.main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]\nassert not loaded, loaded\n"
    )
    folder = PROJECT if words[0] == "plan" else tmp_path
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_public_names_are_few_and_there() -> None:
    assert len(builder.__all__) <= 24
    for name in builder.__all__:
        found = getattr(builder, name)
        assert found.__doc__, f"{name} says nothing of itself"


def test_the_checked_in_schema_of_scenarios_is_the_codes() -> None:
    held = json.loads((PROJECT / "scenarios/scenario.schema.json").read_text("utf-8"))
    assert held == words.json_schema()
    jsonschema.Draft202012Validator.check_schema(held)


def test_the_schema_of_scenarios_knows_each_word_but_those_for_later() -> None:
    named = set(words.json_schema()["properties"])
    assert named == {field.alias or name for name, field in words.Words.model_fields.items()}
    assert not named & set(words.LATER)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_scenario_fits_the_schema(file: Path) -> None:
    document = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    jsonschema.validate(document, words.json_schema())


def test_every_shipped_scenario_loads() -> None:
    loaded = scenarios.load_all(Project.find(PROJECT), samplers)
    assert [one.name for one in loaded] == [file.stem for file in SHIPPED]
    assert len(loaded) >= 6
