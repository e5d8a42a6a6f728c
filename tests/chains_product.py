"""The product as the laws of chains ask it: small projects on the disk, and what they amount to."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import builder
from builder import store
from builder.engines import fake
from builder.plan import spread, upstream
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan
from builder.project.settings import Project
from builder.records import Completion, Reject, Request
from builder.records import Key as ProductKey
from builder.results import levels, rows, settle
from tests import model, model_chains
from tests.model import Combination, Held, Key
from tests.model_chains import Beside, Chain, Made, Row, Step, Unit
from tests.model_product import MEMORY

TOPICS = ("tea", "rain")
WORDS = tuple(a + b for a in ("ka", "lo", "mi", "nu") for b in ("ra", "se", "ti", "vo"))
TAGS = ("x", "y", "")
SPLITS = {"train": 0.5, "test": 0.5}
TABLE = "real.jsonl"
MIXED = "mixed"
SCHEMA = """\
from typing import Literal

from pydantic import BaseModel, Field, field_validator


class Note(BaseModel):
    text: str = Field(pattern="^({words})$")
    score: int = Field(ge=0, le=2)
    tags: list[Literal["x", "y", ""]] = Field(max_length=3)

    @field_validator("text")
    @classmethod
    def polite(cls, text: str) -> str:
        assert text not in {refused}, text
        return text
"""


@dataclass(frozen=True)
class Toy:
    """A scenario as its file says it."""

    name: str
    source: str = ""
    """The scenario, the table or, with @, the dataset that it is made from; empty: axes alone."""
    moods: tuple[str, ...] = ()
    tag: bool = False
    printed: str = "text"
    keep: int = 0
    each: int = 1
    total: int | None = None
    tries: int = 2
    asks: bool = True
    home: str = ""
    """mixed, none, or its own."""
    beside: Beside | None = None
    word: str = "On"

    def files(self) -> dict[str, str]:
        words: dict[str, Any] = {"schema": "Note", "rows": f"{self.each} each"}
        if self.total is not None:
            words["rows"] = {"total": self.total, "least": self.each} if self.each else self.total
        words["dataset"] = self.home or self.name
        vary: dict[str, Any] = {} if self.source else {"topic": list(TOPICS)}
        if self.source:
            words["from"] = {"up": self._source(self.source)}
            if self.beside is not None:
                options = {"on": "score", "n": self.beside.n, "least": self.beside.least}
                given = {word: value for word, value in options.items() if value is not None}
                words["from"]["one" if self.beside.n is None else "several"] = (
                    self._source(self.beside.source) | given
                )
        if self.tag:
            vary["tag"] = {"of": "up.tags"}
        if self.moods:
            vary["mood"] = list(self.moods)
        if vary:
            words["vary"] = vary
        if self.keep:
            words["keep"] = [f"up.score >= {self.keep}"]
        if not self.asks:
            words["from"]["up"]["take"] = ["text", "score", "tags"]
            words |= {"model": "none", "fill": ["text", "score", "tags"]}
        else:
            words["tries"] = self.tries
        return {
            f"scenarios/{self.name}.yaml": json.dumps(words),
            f"prompts/{self.name}.j2": self._prompt(),
        }

    def _source(self, name: str) -> dict[str, Any]:
        if name == TABLE:
            return {"table": f"../{TABLE}", "id": "id"}
        return {"dataset": name[1:]} if name.startswith("@") else {"scenario": name}

    def _prompt(self) -> str:
        parts = [self.word, "{{ mood }}" * bool(self.moods), "{{ tag }}" * self.tag]
        parts += ["{{ topic }}"] if not self.source else [f"{{{{ up.{self.printed} }}}}"]
        if self.beside is not None:
            single = "{{ one.text }}"
            many = "{% for row in several %}{{ row.text }},{% endfor %}"
            parts.append(single if self.beside.n is None else many)
        return " | ".join(parts)

    def text(self, chain: Chain, case: Any) -> str:
        """What its template prints."""
        if not self.asks:
            row = case.unit.row.fields
            return "none " + json.dumps([row[name] for name in ("text", "score", "tags")])
        named = dict(case.combination)
        parts = [self.word, named.get("mood", "")]
        if not self.source:
            return " | ".join([*parts, "", named["topic"]]).strip()
        parts += [case.unit.tag or "", str(case.unit.row.fields[self.printed])]
        if self.beside is not None:
            texts = [row.fields["text"] for row in self.found(chain, case.unit)]
            parts.append(texts[0] if self.beside.n is None else "".join(f"{t}," for t in texts))
        return " | ".join(parts).strip()

    def found(self, chain: Chain, unit: Unit) -> list[Row]:
        """The rows of the further source that agree."""
        assert self.beside is not None
        others = [
            row
            for row in chain.source(self.beside.source)
            if row.fields["score"] == unit.row.fields["score"]
            and (row.id, row.home) != (unit.row.id, unit.row.home)
        ]
        return others[: self.beside.wanted]


def table(size: int) -> list[dict[str, Any]]:
    """The rows of the table."""
    return [
        {
            "id": str(n),
            "text": WORDS[n % len(WORDS)],
            "score": n % 3,
            "tags": ["y", "x", "x", ""][n % 3 : n % 3 + 3],
        }
        for n in range(size)
    ]


@dataclass(frozen=True)
class Amount:
    """What a dataset of the product amounts to: names, keys and splits of its rows in their order."""

    rows: list[tuple[str, str]]
    keys: set[Key]
    refused: dict[Key, str]
    open: dict[str, int]
    short: dict[str, int]
    lost: dict[str, int]


class Product:
    """One project over one store."""

    def __init__(self, folder: Path, toys: Sequence[Toy], *, dealt: bool, size: int) -> None:
        self.folder = folder
        self.requests: dict[str, Request] = {}
        self.texts: dict[bytes, str] = {}
        self.edit(toys, (), dealt=dealt, size=size)

    def edit(self, toys: Sequence[Toy], refused: Iterable[str], *, dealt: bool, size: int) -> None:
        """Writes the files anew."""
        self.toys = {toy.name: toy for toy in toys}
        self.refused, self.dealt = frozenset(refused), dealt
        self.table = table(size)
        settings = '[tool.builder]\nmodel = "fake:any"\nconcurrency = 3\n[tool.builder.params]\nmax_tokens = 50\n'
        for home in sorted(self._roots()) if dealt else ():
            shares = ", ".join(f"{name} = {share}" for name, share in SPLITS.items())
            settings += f"[tool.builder.datasets.{home}]\nsplits = {{{shares}}}\n"
        files = {
            "pyproject.toml": settings,
            "schemas/note.py": SCHEMA.format(
                words="|".join(WORDS), refused=tuple(sorted(self.refused))
            ),
            TABLE: "".join(json.dumps(row) + "\n" for row in self.table),
        }
        for toy in toys:
            files |= toy.files()
        for path in self.folder.glob("scenarios/*.yaml"):
            path.unlink()
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def _roots(self) -> set[str]:
        """The datasets that inherit no splits."""
        homes = {toy.home or name for name, toy in self.toys.items()} - {"none"}
        made = {toy.home or name for name, toy in self.toys.items() if self._split_of(toy)}
        return homes - made

    def _split_of(self, toy: Toy) -> bool:
        """Whether a dataset upstream says how its rows are dealt."""
        if toy.source.startswith("@"):
            return True
        up = self.toys.get(toy.source)
        if up is None or (up.home and up.home == toy.home == MIXED):
            return False
        return up.home != "none" or self._split_of(up)

    def parted(self, toy: Toy) -> bool:
        """Whether its further rows must stand in the split of the first."""
        names = [toy.source, *([toy.beside.source] if toy.beside else [])]
        ups = [self.toys[name] for name in names if name in self.toys]
        dealt = toy.home != "none" or any(up.home != "none" or self._split_of(up) for up in ups)
        return self.dealt and dealt

    def plan(self) -> tuple[DatasetPlan, ...]:
        """The plan over what is held, whose requests are remembered."""
        project = Project.find(self.folder)
        with store.reading(project.store) as answers:
            plan = levels.plan(project, (), None, answers)[0]
        for dataset in plan.datasets:
            self._remember(dataset)
        self._plans = {part.name: part for dataset in plan.datasets for part in dataset.scenarios}
        return plan.datasets

    def _remember(self, dataset: DatasetPlan) -> None:
        """The text of each request, by its digest."""
        parts = [[part.cases for part in dataset.scenarios]]
        while any(map(len, parts[-1])):
            parts.append(dataset.reserve(len(parts) - 1))
        for level in parts:
            for part, cases in zip(dataset.scenarios, level, strict=True):
                if not part.asks:
                    continue
                made = part.make(cases.index, cases.occurrence)
                for key, planned in zip(cases.keys(0, len(cases)), made, strict=True):
                    text = planned.request.messages[0].content
                    assert self.texts.setdefault(key.digest, text) == text
                    self.requests[text] = planned.request

    def chain(self, held: Held) -> Chain:
        """The project as the laws see it."""
        homes = {
            name: toy.home if toy.home not in ("", "none") else name
            for name, toy in self.toys.items()
        }
        steps = []
        for name, toy in self.toys.items():
            splits = SPLITS if self.dealt and (toy.home != "none" or self._split_of(toy)) else None
            steps.append(Step(name, self._depth(name), homes[name], splits, _builder(self, toy)))
        real = [
            Row(row["id"], TABLE, model_chains.root_of(TABLE, row["id"]), row) for row in self.table
        ]
        return Chain(
            steps,
            {TABLE: real},
            held,
            lambda chain, case: self.toys[case.scenario].text(chain, case),
            lambda case, fields: fields["text"] not in self.refused,
            self._fields,
        )

    def _depth(self, name: str) -> int:
        toy = self.toys[name]
        sources = [toy.source, *([toy.beside.source] if toy.beside else [])]
        ups = [n for s in sources for n, t in self.toys.items() if s in (n, f"@{t.home or n}")]
        return max((self._depth(up) + 1 for up in ups), default=0)

    def _fields(self, chain: Chain, case: Any, answer: str) -> dict[str, Any]:
        if self.toys[case.scenario].asks:
            return dict(json.loads(answer))
        return {name: case.unit.row.fields[name] for name in ("text", "score", "tags")}

    def amount(self, dataset: DatasetPlan, held: Held) -> Amount:
        """What a dataset amounts to now."""
        with store.reading(Project.find(self.folder).store) as answers:
            reading = rows.read(settle.settle(dataset, answers))
            accepted: list[tuple[str, str]] = []
            keys: set[Key] = set()
            refused: dict[Key, str] = {}
            for item in reading.batches():
                if isinstance(item, Reject):
                    if item.key.repeat >= 0:
                        refused[self.key(item.key)] = item.stage
                    continue
                accepted += zip(item.columns["_case"], item.splits, strict=True)
                asked = [key for key in item.columns["_key"] if not key.startswith("none-")]
                keys |= {self.key(ProductKey.parse(key)) for key in asked}
        tallies = reading.tallies.items()
        return Amount(
            accepted,
            keys,
            refused,
            {name: tally.open for name, tally in tallies},
            {name: sum(tally.short.values()) for name, tally in tallies},
            {name: tally.refused for name, tally in tallies},
        )

    def key(self, key: ProductKey) -> Key:
        return Key(self.texts[key.digest], key.repeat, key.attempt)

    def product_key(self, key: Key) -> ProductKey:
        digest = next(digest for digest, text in self.texts.items() if text == key.request)
        return ProductKey(digest, key.repeat, key.attempt)

    def usual(self, key: Key) -> str:
        """What the fake engine answers."""
        return fake.answer(self.requests[key.request], self.product_key(key))

    def add(self, answers: Iterable[tuple[Key, str]]) -> None:
        """Puts these answers into the store."""
        with store.writing(Project.find(self.folder).store) as held:
            held.add([Completion(self.product_key(k), t, "fake:any", "any") for k, t in answers])

    def run(self, budget: str | None = None) -> None:
        """A run with the fake engine, to its end or until the budget is spent."""
        builder.open(self.folder).run(budget=budget, export=False)

    def held(self) -> dict[Key, str]:
        """All answers of the store whose requests the plan of now knows."""
        with store.reading(Project.find(self.folder).store) as answers:
            keys = [key for key in [*answers.keys()] if key.digest in self.texts]
            return {self.key(key): self.usual(self.key(key)) for key in keys}

    def numbers(self, name: str, units: Sequence[Unit]) -> spread.Source:
        """The numbers of a scenario whose units are these."""
        source = self._plans[name].source
        return source._replace(unit_words=np.array([_word(unit) for unit in units], np.uint64))

    def scenario(self, name: str) -> ScenarioPlan:
        return self._plans[name]


def _word(unit: Unit) -> int:
    word = upstream.id_word(unit.row.id)
    if unit.tag is None:
        return word
    return word ^ int(spread.word("entry", "tag", unit.tag, unit.among))


def _builder(site: Product, toy: Toy) -> Any:
    """How the scenario of a toy follows from what is handed down."""

    def build(chain: Chain) -> model.Scenario | Made:
        part = site.scenario(toy.name)
        grid = np.arange(part.scenario.grid.size)
        crossed: list[Combination] = [
            tuple(sorted(c.items())) for c in part.scenario.grid.combinations(grid)
        ]
        plain = part.source._replace(unit_words=None).combination_words(grid)
        luck = spread.unit(spread.mix(plain ^ spread.word("spread"))).tolist()
        shares = dict(zip(crossed, luck, strict=True))
        weights = dict.fromkeys(crossed, 1.0)
        if not toy.source:
            return model.Scenario(
                toy.name, weights, shares, toy.each, toy.total, toy.tries, toy.tries
            )
        words = dict(zip(crossed, plain.tolist(), strict=True))
        units = [unit for row in chain.source(toy.source) for unit in _units(toy, row)]

        def u(unit: Unit, c: Combination) -> float:
            numbers = site.numbers(toy.name, [unit])
            word = numbers.combination_words(np.array([crossed.index(c)]))
            return float(spread.unit(spread.mix(word ^ spread.word("spread")))[0])

        def order(unit: Unit, c: Combination) -> int:
            mixed = spread.mix(np.array([_word(unit)], np.uint64) ^ spread.word("pool"))
            return int(spread.mix(mixed + np.uint64(words[c]))[0])

        def makes(unit: Unit, c: Combination) -> bool:
            if unit.row.fields["score"] < toy.keep:
                return False
            if toy.beside is None:
                return True
            hits = toy.found(chain, unit)
            sides = {side(row.root) for row in (unit.row, *hits)} if site.parted(toy) else {""}
            return len(hits) >= toy.beside.enough and len(sides) == 1

        waits = toy.total is not None and chain.is_open(toy.source)
        if toy.beside is not None and toy.beside.n is not None:
            waits |= chain.is_open(toy.beside.source)
        return Made(
            toy.name, units, weights, u, shares, order, makes, toy.each, toy.total,
            toy.tries if toy.asks else 1, toy.asks, waits,
            (toy.source, *([toy.beside.source] if toy.beside else [])),
        )  # fmt: skip

    return build


def _units(toy: Toy, row: Row) -> list[Unit]:
    if not toy.tag:
        return [Unit(row)]
    tags = [tag for tag in row.fields["tags"] if tag]
    return [Unit(row, tag, tags[:n].count(tag)) for n, tag in enumerate(tags)]


def side(number: float) -> str:
    """The split that holds roots of this number."""
    return "train" if number < SPLITS["train"] else "test"


@contextlib.contextmanager
def product(toys: Sequence[Toy], *, dealt: bool = False, size: int = 4) -> Iterator[Product]:
    """A product in a folder of its own, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Product(Path(folder), toys, dealt=dealt, size=size)
