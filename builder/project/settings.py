"""A project: one folder with `[tool.builder]` in its pyproject.toml, and what stands there."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from builder.errors import InputError, Place, combine, nearest
from builder.project import expect, typos

# Names that become paths: letters of any script, digits, _ and -, at most 64.
NAME = re.compile(r"(?!-)[\w-]{1,64}\Z")


def _money(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d+(\.\d+)?\s*(usd|tok)", value):
        raise ValueError('expected an amount such as "5usd" or "200000tok"')
    return value


Money = Annotated[str, BeforeValidator(_money)]


class Budget(NamedTuple):
    """A cap: US dollars or tokens, the other one None."""

    usd: float | None = None
    tokens: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cap that `5usd` or `200000tok` names; InputError for anything else.

        >>> Budget.parse("5usd").usd
        5.0
        """
        try:
            _money(text)
        except ValueError as error:
            raise InputError(f"budget {text!r}: {error}") from None
        amount = float(re.sub(r"\s*(usd|tok)", "", text))
        return cls(usd=amount) if text.endswith("usd") else cls(tokens=int(amount))

    def less(self, usd: float, tokens: int) -> Self:
        """What is left of it when so much was spent."""
        if self.usd is not None:
            return self._replace(usd=max(0.0, self.usd - usd))
        return self._replace(tokens=max(0, (self.tokens or 0) - tokens))


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# The ways to ask for structure, the strictest first.
Structured = Literal["json_schema_full", "json_schema", "json_object", "prompt"]


class Prices(_Table):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)


class Provider(BaseModel):
    """A provider, `[tool.builder.providers.NAME]`. Words that are not ours go to the engine as options."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)
    base_url: str | list[str] | None = None
    """Where it is; of a list, each address answers for the same models."""
    api_key_env: str | None = None
    structured: Structured | None = None
    protocol: str | None = None
    timeout: float | None = Field(default=None, gt=0)
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    params: dict[str, Any] = Field(default_factory=dict)
    usd_per_million: Prices | None = None


class ShapeSettings(_Table):
    """The shape of a dataset, `shape = {as = …}`: its columns, and the fields they take."""

    kind: Literal["columns", "messages", "prompt-completion", "text-label"] = Field(
        default="columns", alias="as"
    )
    system: str | None = None
    user: str | None = None
    assistant: str | None = None
    turns: str | None = None  # a field that holds a list of turns, in place of the three above
    role: str = "role"
    content: str = "content"
    # What the speakers of the turns are to a trainer.
    roles: dict[str, Literal["system", "user", "assistant", "tool"]] = Field(default_factory=dict)
    prompt: str | None = None
    completion: str | None = None
    text: str | None = None
    label: str | None = None
    keep: list[str] | None = None  # the other columns that stay; all of them when left out


class DatasetSettings(_Table):
    """A dataset, `[tool.builder.datasets.NAME]`."""

    text: list[str] | None = None
    title: str | None = None
    about: str | None = None
    languages: list[str] = Field(default_factory=list)
    license: str | None = None
    # Task categories of the Hub; they follow from the shape when left out.
    tasks: list[str] = Field(default_factory=list)
    prompts: bool = False  # whether the card quotes the templates
    format: Literal["parquet", "jsonl", "csv"] = "parquet"
    shape: ShapeSettings = ShapeSettings()
    splits: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(
        default_factory=lambda: {"train": 1.0}
    )
    together: list[str] = Field(default_factory=list)
    """Columns of which rows that agree in all of them share a split."""
    contains_source: bool = False  # whether text of tables, which nobody generated, may go out
    expect: dict[str, Any] = Field(default_factory=dict)


class Settings(_Table):
    """The whole of `[tool.builder]`."""

    model: str | None = None
    concurrency: int = Field(default=64, ge=1, le=10_000)
    budget: Money | None = None
    confirm_above: Money = "1usd"
    params: dict[str, Any] = Field(default_factory=dict)
    providers: dict[str, Provider] = Field(default_factory=dict)
    datasets: dict[str, DatasetSettings] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder of scenarios, prompts and schemas, and the outputs made from them."""

    root: Path
    settings: Settings = field(default_factory=Settings)

    @classmethod
    def find(cls, start: str | Path = ".") -> Self:
        """The project that holds `start`: the nearest folder upwards with `[tool.builder]`.

        Raises InputError where there is none, or where a setting is wrong.
        """
        here = Path(start).resolve()
        if not here.is_dir():
            raise InputError(f"no folder {str(start)!r}", hint="--project names a folder")
        for folder in (here, *here.parents):
            file = folder / "pyproject.toml"
            if (table := _read(file) if file.is_file() else None) is not None:
                return cls(folder, _settings(file, table))
        raise InputError(
            f"no pyproject.toml with [tool.builder] in {here} or above",
            hint="`builder init DIR` makes a project; --project DIR names one",
        )

    def place(self, path: tuple[str, ...]) -> Place:
        """Where a setting stands in pyproject.toml."""
        return _locate(self.root / "pyproject.toml", path)

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def scenarios(self) -> Path:
        return self.root / "scenarios"

    @property
    def prompts(self) -> Path:
        return self.root / "prompts"

    @property
    def schemas(self) -> Path:
        return self.root / "schemas"

    @property
    def store(self) -> Path:
        return self.outputs / "store.sqlite"

    def dataset_settings(self, name: str) -> DatasetSettings:
        """The settings of a dataset; the defaults where nobody wrote any."""
        return self.settings.datasets.get(name, DatasetSettings())

    def provider_settings(self, name: str) -> Provider:
        """The settings of a provider; the defaults where nobody wrote any."""
        return self.settings.providers.get(name) or Provider.model_validate({})

    def environ(self) -> Mapping[str, str]:
        """The environment, over what `.env` in the project's folder adds to it."""
        return {**_dotenv(self.root / ".env"), **os.environ}


def _read(file: Path) -> dict[str, Any] | None:
    try:
        text = file.read_bytes().decode("utf-8-sig")
        table = tomllib.loads(text).get("tool", {}).get("builder")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", place=Place(file, 1, 1)) from None
    except tomllib.TOMLDecodeError as error:
        raise _syntax(file, text, str(error)) from None
    if table is not None and not isinstance(table, dict):
        lines = text.splitlines()
        number = next((n for n, line in enumerate(lines, 1) if "builder" in line), 1)
        place = Place(file, number, lines[number - 1].find("builder") + 1)
        raise InputError(f"[tool.builder] is a table, found {table!r}", place=place)
    return table


def expected(problem: ErrorDetails, *, mapping: str) -> str:
    """Words for what should have stood where Pydantic refused something in a file; `mapping` is
    what the file's format calls one.
    """
    limits = problem.get("ctx", {})
    kinds = {
        "int_type": "expected a whole number",
        "float_type": "expected a number",
        "string_type": "expected text",
        "list_type": "expected a list",
        "dict_type": f"expected {mapping}",
        "model_type": f"expected {mapping}",
        "finite_number": "expected a finite number",
        "literal_error": f"expected {limits.get('expected', '')}",
        "greater_than": f"expected more than {limits.get('gt', 0):g}",
        "greater_than_equal": f"expected at least {limits.get('ge', '')}",
        "less_than_equal": f"expected at most {limits.get('le', '')}",
    }
    return kinds.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")


def _syntax(file: Path, text: str, complaint: str) -> InputError:
    at = re.search(r"\(at line (\d+), column (\d+)\)", complaint)
    lines = text.split("\n")
    line, column = (int(at[1]), int(at[2])) if at else (len(lines), 1)
    here = lines[min(line, len(lines)) - 1]
    message = re.sub(r"\s*\(at .*\)$", "", complaint)
    hint = typos.hint(here.split("#")[0].strip())
    if "Cannot overwrite" in message or "Cannot declare" in message:
        column, message = 1, f"{re.split('[=#]', here)[0].strip()} stands here again"
    elif "Invalid value" in message and not hint:
        hint = 'texts stand in quotes: model = "openai:gpt-5-mini"'
    return InputError(f"not TOML: {message}", place=Place(file, line, column), hint=hint)


def _settings(file: Path, table: dict[str, Any]) -> Settings:
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise combine([_problem(file, problem) for problem in error.errors()]) from None
    for kind, names in (("datasets", settings.datasets), ("providers", settings.providers)):
        for name in names:
            if not NAME.match(name):
                raise InputError(
                    f"{name!r} is no name",
                    place=_locate(file, (kind, name)),
                    hint="letters, digits, _ and -, at most 64, not beginning with -",
                )
    for name, provider in settings.providers.items():
        _check_holds_no_key(file, name, provider)
    for name, dataset in settings.datasets.items():
        _check_dataset(file, name, dataset)
    return settings


def _check_dataset(file: Path, name: str, dataset: DatasetSettings) -> None:
    for problem in expect.problems(dataset.expect):
        place = _locate(file, ("datasets", name, "expect", *problem.path))
        raise InputError(problem.message, place=place, hint=problem.hint)
    total = sum(dataset.splits.values())
    if not dataset.splits or abs(total - 1) > 1e-9:
        raise InputError(
            f"the splits add up to {total:g}, expected 1",
            place=_locate(file, ("datasets", name, "splits")),
        )
    for split in dataset.splits:
        if not re.fullmatch(r"\w+(\.\w+)*", split):
            raise InputError(
                f"{split!r} is no name for a split: letters, digits and _",
                place=_locate(file, ("datasets", name, "splits", split)),
            )


def _problem(file: Path, problem: ErrorDetails) -> InputError:
    path = tuple(str(step) for step in problem["loc"])
    hint = ""
    match problem["type"]:
        case "extra_forbidden":
            known = _known(path[:-1])
            message = f"unknown setting {path[-1]!r}.{nearest(path[-1], known)}"
            hint = f"expected one of {', '.join(known)}"
        case "missing":
            message = f"{'.'.join(path[:-1])}: {path[-1]} is missing"
        case _:
            wanted = expected(problem, mapping="a table")
            message = f"{'.'.join(path)}: {wanted}, found {problem['input']!r}"
    return InputError(message, place=_locate(file, path), hint=hint)


def _check_holds_no_key(file: Path, name: str, provider: Provider) -> None:
    """Keys stand in the environment; what is written here ends in a repository."""
    for word in provider.model_extra or {}:
        if re.search(r"(?i)(^|_)(key|token|secret|password)$", word):
            raise InputError(
                f"{word}: a key does not belong into a file",
                place=_locate(file, ("providers", name, word)),
                hint='put it into an environment variable and write api_key_env = "ITS_NAME"',
            )
    if provider.api_key_env and not re.fullmatch(r"[A-Za-z_]\w*", provider.api_key_env, re.ASCII):
        raise InputError(
            "api_key_env: expected the name of an environment variable",
            place=_locate(file, ("providers", name, "api_key_env")),
            hint="write the name of the variable that holds the key, never the key",
        )


def _known(path: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    match path:
        case ["datasets", *_]:
            model = ShapeSettings if "shape" in path[2:] else DatasetSettings
        case ["providers", *_]:
            model = Prices if "usd_per_million" in path else Provider
    return [field.alias or name for name, field in model.model_fields.items()]


def _locate(file: Path, path: tuple[str, ...]) -> Place:
    """The line and column of a setting: tomllib keeps no positions, so the text is searched."""
    best = Place(file, 1, 1)
    depth = -1
    table: tuple[str, ...] = ("?",)
    for number, line in enumerate(file.read_text("utf-8-sig").splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            parts = tuple(re.findall(r"[^.\s\"']+", header[1]))
            table = parts[2:] if parts[:2] == ("tool", "builder") else ("?",)
            shared = min(len(table), len(path))  # [tool.builder.provider.x] holds `provider` too
            if path[:shared] == table[:shared] and shared > depth:
                best, depth = Place(file, number, 1), shared
            continue
        key = re.match(r"\s*[\"']?([^\"'=\s.]+)[\"']?[\w.\s]*=", line)
        at = len(table) + 1
        if key and path[:at] == (*table, key[1]) and at > depth:
            column = line.index(key[1]) + 1
            for part in path[at:]:
                if inner := re.search(rf"(?<![\w-]){re.escape(part)}(?![\w-])", line[column:]):
                    column += inner.start() + 1
            best, depth = Place(file, number, column), at
    return best


def _dotenv(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    variables = {}
    for line in file.read_text("utf-8-sig", errors="replace").splitlines():
        if match := re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$", line):
            value = match[2]
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            variables[match[1]] = value[1:-1] if quoted else value
    return variables
