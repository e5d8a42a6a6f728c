"""The columns that trainers eat: a dataset's records turned into another shape.

`columns` leaves them as they are. `messages` (conversations for supervised fine-tuning),
`prompt-completion` and `text-label` (a class with its names) put columns of the trainer's
names first; the fields they took go, and every other column stays unless `keep` says which.

The features of a shape are written down here as Hugging Face does, in Parquet metadata and in a
card, rather than by `datasets`, which takes seconds to import; a test holds the two equal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from builder import jsonschema
from builder.errors import InputError, nearest
from builder.plan.columns import OWN
from builder.plan.plans import DatasetPlan
from builder.project.settings import Project, ShapeSettings
from builder.results.rows import Columns, records
from builder.table.tables import INTEGER, STRING, Kind

Name = Literal["columns", "messages", "prompt-completion", "text-label"]
Record = dict[str, Any]
MESSAGE = (("role", STRING), ("content", STRING))
TURNS = Kind("list", of=Kind("struct", fields=MESSAGE))
ROLES = ("system", "user", "assistant", "tool")
# Columns that tell a trainer which shape it has before it.
READ = frozenset(("messages", "prompt", "completion", "chosen", "rejected"))
# Types as Hugging Face writes them down.
_TYPES = {"integer": "int64", "number": "float64", "boolean": "bool", "kept": "json"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape over the columns of one dataset."""

    name: Name
    kinds: Mapping[str, Kind]
    # The class names of a column that holds their numbers.
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # From a record to its new columns; None where every column stays as it is.
    convert: Callable[[Record], Record] | None = None
    # The fields that each new column is made of.
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unchanged: tuple[str, ...] = ()  # the columns that stay, behind the new ones
    settings: Mapping[str, Any] = field(default_factory=dict)

    def columns(self, columns: Columns) -> Columns:
        if self.convert is None:
            return columns
        shaped = [
            {**self.convert(row), **{name: row[name] for name in self.unchanged}}
            for row in records(columns)
        ]
        return {name: [row[name] for row in shaped] for name in self.kinds}

    def about(self) -> list[Any]:
        """What the digest of the content holds of it."""
        kinds = [[name, str(kind)] for name, kind in self.kinds.items()]
        parts = [
            [[name, list(part)] for name, part in parts.items()]
            for parts in (self.labels, self.sources)
        ]
        return [self.name, kinds, *parts, self.settings]


def of(
    project: Project, dataset: DatasetPlan, kinds: Mapping[str, Kind], name: Name | None = None
) -> Shape:
    """The shape that the project gives a dataset, or `name` with the fields that it says.

    Fields that nobody named are taken where only one can be meant. Raises InputError for a field
    that the dataset has not, or of the wrong kind.
    """
    settings = project.dataset_settings(dataset.name).shape
    chosen: Name = name or settings.kind
    reader = _Reader(project, dataset, kinds, settings, chosen)
    read: Mapping[Name, Callable[[], Shape]] = {
        "messages": reader.messages,
        "prompt-completion": reader.prompt_completion,
        "text-label": reader.text_label,
    }
    return read[chosen]() if chosen in read else Shape("columns", kinds)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the settings of one dataset's shape against its columns."""

    project: Project
    dataset: DatasetPlan
    kinds: Mapping[str, Kind]
    settings: ShapeSettings
    name: Name

    def messages(self) -> Shape:
        """Conversations: of a field of turns, or of one message of each role."""
        settings = self.settings
        roles = {"system": settings.system, "user": settings.user, "assistant": settings.assistant}
        if settings.turns or not any(roles.values()):
            return self._turns()
        if settings.user is None or settings.assistant is None:
            raise self.fail("messages takes both `user` and `assistant`, or `turns`")
        fields = {
            role: self.field(role, name, STRING) for role, name in roles.items() if name is not None
        }

        def convert(row: Record) -> Record:
            return {
                "messages": [
                    {"role": role, "content": _present(row, name)}
                    for role, name in fields.items()
                    if role != "system" or row[name] is not None
                ]
            }

        return self.shape({"messages": TURNS}, convert, {"messages": [*fields.values()]})

    def _turns(self) -> Shape:
        settings = self.settings
        role, content = settings.role, settings.content
        able = [
            name
            for name, kind in self.kinds.items()
            if kind.of and {(role, STRING), (content, STRING)} <= {*kind.of.fields}
        ]
        if not able and settings.turns is None:
            raise self.fail(
                "the shape messages takes a field of turns, or the fields of one user and one assistant message",
                hint=self.example('user = "…", assistant = "…"'),
            )
        source = settings.turns or self.only(able, "turns")
        if source not in able:
            self.check_known("turns", source)
            raise self.fail(
                f"{source!r} is {self.kinds[source]}, not a list of turns with "
                f"{settings.role!r} and {settings.content!r}",
                "turns",
                hint="`role` and `content` name the parts of a turn where they are called otherwise",
            )
        roles = {**{role: role for role in ROLES}, **settings.roles}
        others = self._beside(source, (role, content))
        calls = [name for name, kind in others.items() if kind.name in ("list", "struct", "json")]

        def convert(row: Record) -> Record:
            turns = [
                {
                    "role": self.role(turn[role], roles, row),
                    "content": _content(row, turn, content, calls),
                    **{name: turn[name] for name in others},
                }
                for turn in _present(row, source)
            ]
            return {"messages": turns}

        kind = Kind("list", of=Kind("struct", fields=(*MESSAGE, *others.items())))
        return self.shape({"messages": kind}, convert, {"messages": [source]})

    def _beside(self, source: str, read: Sequence[str]) -> dict[str, Kind]:
        """What a turn holds beside speaker and text: calls of tools, ids and the like."""
        turn = self.kinds[source].of
        others = {name: kind for name, kind in turn.fields if name not in read} if turn else {}
        for name, _ in MESSAGE:
            if name in others:
                raise self.fail(
                    f"a turn of {source!r} holds {name!r} beside {' and '.join(map(repr, read))}, "
                    "which a trainer reads under that name",
                    "turns",
                    hint="rename that field of a turn, or name it as `role` or `content`",
                )
        return others

    def role(self, speaker: str | None, roles: Mapping[str, str], row: Record) -> str:
        """The role of a turn's speaker. InputError for one that no trainer knows."""
        if speaker is not None and speaker in roles:
            return roles[speaker]
        raise self.fail(
            f"a turn of row {row['_case']} is spoken by {str(speaker)[:60]!r}; a trainer knows {', '.join(ROLES)}",
            "roles",
            hint="say what your speakers are: roles = {customer = \"user\", agent = \"assistant\"}",
        )  # fmt: skip

    def prompt_completion(self) -> Shape:
        settings, texts = self.settings, self.texts()
        others = [name for name in texts if name != settings.completion]
        able = others if settings.completion else others[:-1]
        prompt = settings.prompt or self.only(able, "prompt", texts)
        able = [name for name in texts if name != prompt]
        completion = settings.completion or self.only(able, "completion", texts)
        self.field("prompt", prompt, STRING)
        self.field("completion", completion, STRING)

        def convert(row: Record) -> Record:
            return {
                "prompt": _present(row, prompt),
                "completion": _present(row, completion),
            }

        sources = {"prompt": [prompt], "completion": [completion]}
        return self.shape(dict.fromkeys(sources, STRING), convert, sources)

    def text_label(self) -> Shape:
        classes = self.classes()
        text = self.settings.text or self.only(self.texts(), "text")
        label = self.settings.label or self.only(list(classes), "label")
        self.field("text", text, STRING)
        self.check_known("label", label)
        if label not in classes:
            raise self.fail(
                f"{label!r} has no fixed set of values: a label is an axis or an enum",
                "label",
                hint=f"able: {', '.join(classes) or 'none'}",
            )
        names = classes[label]
        numbers = {name: number for number, name in enumerate(names)}

        def convert(row: Record) -> Record:
            return {
                "text": _present(row, text),
                "label": numbers[class_name(_present(row, label))],
            }

        return self.shape(
            {"text": STRING, "label": INTEGER},
            convert,
            {"text": [text], "label": [label]},
            {"label": names},
        )

    def classes(self) -> dict[str, tuple[str, ...]]:
        """The columns with a fixed set of values: axes in file order, and enums of the schemas."""
        classes: dict[str, dict[str, None]] = {}
        for scenario in self.dataset.scenarios:
            for axis in scenario.scenario.axes:
                labels = [class_name(value.value) for value in axis.every]
                classes.setdefault(axis.name, {}).update(dict.fromkeys(labels))
            row = scenario.scenario.schema.row
            for name, part in row.get("properties", {}).items():
                if values := jsonschema.resolve(part, row).get("enum", ()):
                    labels = [class_name(value) for value in values if value is not None]
                    classes.setdefault(name, {}).update(dict.fromkeys(labels))
        return {name: tuple(values) for name, values in classes.items() if len(values) > 1}

    def shape(
        self,
        new: Mapping[str, Kind],
        convert: Callable[[Record], Record],
        sources: Mapping[str, Sequence[str]],
        labels: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Shape:
        """The shape of these new columns and of those that stay beside them.

        Raises InputError where one that stays would mislead a trainer.
        """
        used = {name for fields in sources.values() for name in fields}
        stays = [name for name in self.kinds if name not in used]
        if self.settings.keep is not None and self.name == self.settings.kind:
            for name in self.settings.keep:
                self.check_known("keep", name)
            stays = [name for name in stays if name in {*self.settings.keep, *OWN}]
        for name in stays:
            if name in new or (name in READ and self.name != "text-label"):
                raise self.fail(
                    f"the column {name!r} stays beside the trainer's columns, which would mislead it",
                    "keep",
                    hint="rename it, or leave it out: keep = […] lists the columns that stay",
                )
        kinds = {**new, **{name: self.kinds[name] for name in stays}}
        return Shape(
            self.name,
            kinds,
            labels or {},
            convert,
            sources,
            tuple(stays),
            self.settings.model_dump(),
        )

    def texts(self) -> list[str]:
        """The fields of free text: no variables, no enums."""
        variables = {name for s in self.dataset.scenarios for name in s.scenario.columns()}
        apart = {*OWN, *variables, *self.classes()}
        return [name for name, kind in self.kinds.items() if kind == STRING and name not in apart]

    def field(self, word: str, name: str, kind: Kind) -> str:
        self.check_known(word, name)
        if self.kinds[name] != kind:
            raise self.fail(f"{name!r} is {self.kinds[name]}, {word} takes {kind}", word)
        return name

    def check_known(self, word: str, name: str) -> None:
        """Raises InputError for a column that the dataset has not."""
        if name not in self.kinds:
            raise self.fail(
                f"no column {name!r}.{nearest(name, self.kinds)}",
                word,
                hint=f"columns: {', '.join(n for n in self.kinds if n not in OWN)}",
            )

    def only(self, able: Sequence[str], word: str, listed: Sequence[str] = ()) -> str:
        if len(able) == 1:
            return able[0]
        names = ", ".join(listed or able) or "none"
        raise self.fail(
            f"the shape {self.name} needs to know which field is its {word}; able: {names}",
            hint=self.example(f'{word} = "…"'),
        )

    def example(self, words: str) -> str:
        return (
            f'[tool.builder.datasets.{self.dataset.name}]  shape = {{as = "{self.name}", {words}}}'
        )

    def fail(self, message: str, word: str = "", hint: str = "") -> InputError:
        """An error at the setting of that word, where the project has one."""
        name = self.dataset.name
        if name not in self.project.settings.datasets:
            return InputError(message, hint=hint)
        where = ("datasets", name, "shape", word) if word else ("datasets", name, "shape")
        return InputError(message, place=self.project.place(where), hint=hint)


def _present(row: Record, name: str) -> Any:
    if row[name] is None or row[name] == []:
        raise InputError(
            f"row {row['_case']} of scenario {row['_scenario']!r} has no {name!r}, which the shape needs",
            hint="take a field that every scenario of the dataset has",
        )
    return row[name]


def _content(row: Record, turn: Record, name: str, calls: Sequence[str]) -> str | None:
    """The text of a turn; one that calls tools needs none. InputError where another has none."""
    content: str | None = turn[name]
    if content is None and not any(turn[call] for call in calls):
        raise InputError(
            f"a turn of row {row['_case']} has no {name!r}, which a trainer reads",
            hint="a schema that requires it refuses such answers",
        )
    return content


def class_name(value: object) -> str:
    """The name of a class: true and false as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def features_in_metadata(shape: Shape) -> dict[str, Any]:
    """What stands under `info.features` in the metadata of a Parquet schema."""
    return {
        name: {"names": list(shape.labels[name]), "_type": "ClassLabel"}
        if name in shape.labels
        else _metadata(kind)
        for name, kind in shape.kinds.items()
    }


def features_in_card(shape: Shape, *, flat: bool = False) -> list[dict[str, Any]]:
    """What stands under `dataset_info.features` in a card.

    `flat` tells that files hold nested values as JSON text.
    """
    return [
        {"name": name, "dtype": {"class_label": {"names": _numbered(shape.labels[name])}}}
        if name in shape.labels
        else {"name": name, **_card(STRING if flat and (kind.of or kind.fields) else kind)}
        for name, kind in shape.kinds.items()
    ]


def _metadata(kind: Kind) -> dict[str, Any]:
    if kind.name == "list" and kind.of is not None:
        return {"feature": _metadata(kind.of), "_type": "List"}
    if kind.name == "struct":
        return {name: _metadata(inner) for name, inner in kind.fields}
    return {"dtype": _TYPES.get(kind.name, "string"), "_type": "Value"}


def _card(kind: Kind) -> dict[str, Any]:
    if kind.name == "list" and kind.of is not None:
        item = _card(kind.of)  # a type, the fields of a struct, or a list again
        return {"list": item.get("dtype") or item.get("struct") or item}
    if kind.name == "struct":
        return {"struct": [{"name": name, **_card(inner)} for name, inner in kind.fields]}
    return {"dtype": _TYPES.get(kind.name, "string")}


def _numbered(labels: tuple[str, ...]) -> dict[str, str]:
    return {str(number): label for number, label in enumerate(labels)}
