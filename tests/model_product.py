"""The product as the model asks it: small projects on the disk, and what they amount to.

All that the tests of the laws call of the product stands here.
"""

from __future__ import annotations

import contextlib
import json
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import builder
from builder import store
from builder.engines import fake
from builder.plan import requests, spread
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import Overrides
from builder.project.settings import Project
from builder.records import Call, Completion, Reject, Request
from builder.records import Key as ProductKey
from builder.results import judgement, rows, settle
from builder.results.missing import Missing, Pending
from tests import model
from tests.model import Case, Combination, Key

SPLITS = {"train": 0.5, "validation": 0.3, "test": 0.2}
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""Where nothing waits for a disk; the system's folder for temporary files elsewhere."""
FAILING, CUT_OFF = 0.05, 0.1
"""Shares of calls that get no reply, or one that is no answer."""
FAMILIES = (
    "The kettle sang all morning and nobody had come to tea by",
    "Six grey geese flew over the frozen harbour and one was",
    "Please return the umbrella that you borrowed last week to",
)
TEXTS = tuple(f"{family} {name}" for family in FAMILIES for name in ("Ada", "Bob", "Cyn", "Dan"))
"""All that anybody answers: texts of one family are near to one another, those of two are not."""
SETTINGS = f"""\
[tool.builder]
model = "fake:any"
concurrency = 3
[tool.builder.params]
max_tokens = 50
[tool.builder.datasets.note]
splits = {{{", ".join(f"{name} = {share}" for name, share in SPLITS.items())}}}
"""
SCHEMA = """\
from pydantic import BaseModel, Field, field_validator


class Note(BaseModel):
    text: str = Field(pattern="^({texts})$")

    @field_validator("text")
    @classmethod
    def polite(cls, text: str) -> str:
        assert text not in {refused}, text
        return text
"""


def near(text: str, other: str) -> bool:
    """Whether two texts are of one family."""
    return text.rpartition(" ")[0] == other.rpartition(" ")[0]


def same(text: str, other: str) -> bool:
    return text == other


NEARNESS = {1.0: same, 0.6: near}


@dataclass(frozen=True)
class Toy:
    """A scenario as its file says it."""

    name: str
    topics: Mapping[str, int]
    """Weights."""
    moods: tuple[str, ...] = ()
    mood_printed: bool = True
    number_drawn: bool = False
    """Whether the prompt prints a number drawn for each case."""
    each: int = 1
    total: int | None = None
    tries: int = 3
    similarity: float | None = None
    unlike: tuple[str, ...] = ()
    removed: Combination | None = None
    """What `keep` refuses."""

    def combinations(self) -> dict[Combination, int]:
        """What `keep` leaves, each with its weight."""
        moods: list[Combination] = [(("mood", mood),) for mood in self.moods]
        grid = {
            (*m, ("topic", topic)): w for m in moods or [()] for topic, w in self.topics.items()
        }
        return {c: weight for c, weight in grid.items() if c != self.removed}

    def files(self) -> dict[str, str]:
        axes = {"topic": dict(self.topics) if self.total else list(self.topics)}
        words: dict[str, object] = {
            "schema": "Note",
            "rows": f"{self.each} each",
            "tries": self.tries,
            "seed": 5,
            "vary": axes | ({"mood": list(self.moods)} if self.moods else {}),
        }
        if self.total is not None:
            words["rows"] = {"total": self.total, "least": self.each} if self.each else self.total
        if self.moods and not self.mood_printed:
            words["unused"] = ["mood"]
        if self.number_drawn:
            words["draw"] = [{"number": {"integer": [1, 2]}}]
        if self.removed is not None:
            chosen = " and ".join(f"{name} == '{value}'" for name, value in self.removed)
            words["keep"] = [f"not ({chosen})"]
        files = {}
        if self.similarity is not None:
            words["similarity_below"] = self.similarity
            if self.unlike:
                words["unlike"] = [f"../{self.name}.txt"]
                files[f"{self.name}.txt"] = "\n".join(self.unlike)
        prompt = "Write a note on {{ topic }}"
        prompt += ", {{ mood }}" * (bool(self.moods) and self.mood_printed)
        prompt += ", {{ number }}" * self.number_drawn
        files[f"scenarios/{self.name}.yaml"] = json.dumps(words)
        files[f"prompts/{self.name}.j2"] = prompt
        return files


@dataclass(frozen=True)
class Amount:
    """What a dataset of the product amounts to, in the words of the model."""

    rows: dict[Key, tuple[str, str]]
    """Scenario and split of each row, in the order of the dataset."""
    refused: dict[Key, str]
    wanted: dict[str, int]
    open: dict[str, int]
    short: dict[str, dict[Combination, int]]
    to_ask: dict[str, int]
    answers: dict[str, int]
    """Judged ones."""
    displaced: dict[str, int]
    """Cases that want another answer because the last is near to a row."""


class Product:
    """One project, planned; `harder` is what `run --tries` says."""

    def __init__(
        self,
        folder: Path,
        toys: Iterable[Toy],
        refused: Iterable[str],
        wanted: Iterable[str],
        harder: int | None,
        stack: contextlib.ExitStack,
    ) -> None:
        self.folder = folder
        self.harder = harder
        self.toys = {toy.name: toy for toy in toys}
        self._write(frozenset(refused))
        self._project = Project.find(folder)
        self.store = stack.enter_context(store.writing(self._project.store))
        changed = Overrides(tries=harder)
        self._plan = requests.plan(self._project, list(wanted), changed)
        (self._dataset,) = self._plan.datasets
        self._requests: dict[str, Request] = {}
        scenarios = [self._scenario(scenario) for scenario in self._dataset.scenarios]
        asked: dict[Case, str] = {}
        for plan, scenario in zip(self._dataset.scenarios, scenarios, strict=True):
            asked |= self._asked(plan, scenario)
        self.laws = model.Dataset(
            "note", scenarios, asked.__getitem__, lambda case, text: text not in set(refused)
        )

    def _write(self, refused: frozenset[str]) -> None:
        files = {
            "pyproject.toml": SETTINGS,
            "schemas/note.py": SCHEMA.format(texts="|".join(TEXTS), refused=tuple(sorted(refused))),
        }
        for toy in self.toys.values():
            files |= toy.files()
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def _scenario(self, plan: ScenarioPlan) -> model.Scenario:
        """The scenario of the model, its u(c) as the product hashes them."""
        toy = self.toys[plan.name]
        grid = np.arange(plan.scenario.grid.size)
        words = plan.source.combination_words(grid)
        luck = spread.unit(spread.mix(words ^ spread.word("spread"))).tolist()
        return model.Scenario(
            name=plan.name,
            weights=toy.combinations(),
            luck=dict(zip(_combinations(plan, grid), luck, strict=True)),
            each=toy.each,
            total=toy.total,
            tries=toy.tries,
            limit=max(toy.tries, self.harder or 0),
            near=NEARNESS[toy.similarity] if toy.similarity else None,
            unlike=toy.unlike,
        )

    def _asked(self, plan: ScenarioPlan, scenario: model.Scenario) -> dict[Case, str]:
        """The request of every case that may ever be asked, by its digest."""
        numbers = {
            combination: number
            for number, combination in enumerate(
                _combinations(plan, np.arange(plan.scenario.grid.size))
            )
        }
        cases = [case for level in model.levels([scenario]) for case in level]
        index = np.array([numbers[case.combination] for case in cases])
        occurrence = np.array([case.occurrence for case in cases], np.int32)
        asked = {}
        for case, planned in zip(cases, plan.make(index, occurrence), strict=True):
            asked[case] = planned.digest.hex()
            self._requests[asked[case]] = planned.request
        return asked

    def keys(self, levels: int) -> list[list[tuple[Case, Key]]]:
        """The planned cases in plan order with their keys, then so many reserves."""
        parts = [[scenario.cases for scenario in self._dataset.scenarios]]
        parts += [self._dataset.reserve(level) for level in range(levels)]
        found: list[list[tuple[Case, Key]]] = []
        for level in parts:
            found.append([])
            for scenario, cases in zip(self._dataset.scenarios, level, strict=True):
                keys = cases.keys(0, len(cases))
                combinations = _combinations(scenario, cases.index)
                for key, c, k in zip(keys, combinations, cases.occurrence.tolist(), strict=True):
                    found[-1].append((Case(scenario.name, c, k), _key(key)))
        return found

    def settle(self) -> Amount:
        """What the store amounts to now."""
        reading = rows.read(settle.settle(self._dataset, self.store))
        accepted: dict[Key, tuple[str, str]] = {}
        refused: dict[Key, str] = {}
        for item in reading.batches():
            if isinstance(item, Reject):
                refused[_key(item.key)] = item.stage
                continue
            for key, split in zip(item.columns["_key"], item.splits, strict=True):
                accepted[_key(ProductKey.parse(key))] = (item.scenario, split)
        tallies = reading.tallies.items()
        return Amount(
            accepted,
            refused,
            {name: tally.wanted for name, tally in tallies},
            {name: tally.open for name, tally in tallies},
            {name: self._named(name, tally.short) for name, tally in tallies},
            {name: tally.to_ask for name, tally in tallies},
            {name: tally.answers for name, tally in tallies},
            {name: len(tally.displaced) for name, tally in tallies},
        )

    def _named(self, name: str, short: Mapping[int, int]) -> dict[Combination, int]:
        plan = next(scenario for scenario in self._dataset.scenarios if scenario.name == name)
        combinations = _combinations(plan, np.fromiter(short, np.int64, len(short)))
        return dict(zip(combinations, short.values(), strict=True))

    def missing(self) -> dict[Key, str | None]:
        """What a run asks for next, each with the refused answer that the call shows."""
        with judgement.of_schemas() as judging:
            missing = Missing(self._plan, self.store, judging)
            calls = [pending.call for pending in iter(missing.take, None)]
        return {_key(call.key): _shown(call) for call in calls}

    def ask(
        self, answer: Callable[[Key], str], rng: random.Random, *, at_once: int, calls: int
    ) -> None:
        """A run with so many calls in flight that come back in any order, some of them cut off or
        never; it is killed after so many replies."""
        waiting: list[Completion] = []

        def flush() -> None:
            self.store.add(waiting)
            waiting.clear()

        with judgement.of_schemas() as judging:
            missing = Missing(self._plan, self.store, judging, flush=flush)
            flying: list[Pending] = []
            for _ in range(calls):
                while len(flying) < at_once and (pending := missing.take()) is not None:
                    flying.append(pending)
                if not flying:
                    break
                pending = flying.pop(rng.randrange(len(flying)))
                key, fate = _key(pending.call.key), rng.random()
                if fate < FAILING:
                    missing.close(pending)
                elif fate < FAILING + CUT_OFF:
                    missing.ask_again(pending)
                else:
                    reply = _completion(key, answer(key))
                    waiting.append(reply)
                    missing.answer(pending, reply)
        flush()

    def out_after(self, key: Key, text: str) -> list[Key]:
        """What a run has out at once when its first call, for this key, was answered so."""
        with judgement.of_schemas() as judging:
            missing = Missing(self._plan, self.store, judging)
            first = missing.take()
            assert first is not None
            assert _key(first.call.key) == key
            missing.answer(first, _completion(key, text))
            return [_key(pending.call.key) for pending in iter(missing.take, None)]

    def usual(self, key: Key) -> str:
        """What the fake engine answers."""
        content = fake.answer(self._requests[key.request], _product_key(key))
        return str(json.loads(content)["text"])

    def add(self, answers: Iterable[tuple[Key, str]]) -> None:
        """Puts these answers into the store, one transaction for all."""
        self.store.add([_completion(key, text) for key, text in answers])

    def run(self, budget: str | None = None) -> None:
        """A run with the fake engine, to its end or until the budget is spent."""
        builder.open(self._project.root).run(
            *sorted(self._plan.wanted), tries=self.harder, budget=budget, export=False
        )

    def held(self) -> set[Key]:
        """The keys that the store holds."""
        return set(map(_key, self.store.keys()))


@contextlib.contextmanager
def product(
    toys: Iterable[Toy],
    refused: Iterable[str] = (),
    wanted: Iterable[str] = (),
    harder: int | None = None,
) -> Iterator[Product]:
    """A product in a folder of its own, for as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY))
        yield Product(Path(folder), toys, refused, wanted, harder, stack)


def _combinations(plan: ScenarioPlan, index: np.ndarray) -> list[Combination]:
    return [tuple(sorted(c.items())) for c in plan.scenario.grid.combinations(index)]


def _completion(key: Key, text: str) -> Completion:
    return Completion(_product_key(key), json.dumps({"text": text}), "fake:any", "any")


def _shown(call: Call) -> str | None:
    """The refused answer that a call shows the model."""
    return json.loads(call.turns[0].content)["text"] if call.turns else None


def _key(key: ProductKey) -> Key:
    return Key(key.digest.hex(), key.repeat, key.attempt)


def _product_key(key: Key) -> ProductKey:
    return ProductKey(bytes.fromhex(key.request), key.repeat, key.attempt)
