"""The product obeys the laws of tests/model.py, whatever the project and whatever its store holds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import model, projects
from tests.model import Key
from tests.model_product import SPLITS, TEXTS, Product, Toy, product

TOPICS = ("tea", "rain", "moss")
MOODS = ("glad", "sour")
NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class World:
    """A project, a run over it and what happens there."""

    toys: tuple[Toy, ...]
    refused: frozenset[str]
    """Texts that the schema refuses."""
    wanted: frozenset[str]
    """The scenarios that the run names."""
    harder: int | None
    """What `run --tries` says."""
    seed: int
    """Of what is held and who answers when."""


@st.composite
def toys(draw: st.DrawFn, name: str, similarities: tuple[float | None, ...]) -> Toy:
    """Any small scenario."""
    topics = draw(st.lists(st.sampled_from(TOPICS), min_size=1, max_size=3, unique=True))
    moods = draw(st.sampled_from([(), MOODS[:1], MOODS]))
    total = draw(st.none() | st.integers(1, 6))
    least = draw(st.integers(0, 1)) if total and total >= len(topics) * max(1, len(moods)) else 0
    single = len(topics) * len(moods) < 2
    similarity = draw(st.sampled_from(similarities))
    toy = Toy(
        name,
        {topic: draw(st.integers(1, 3)) if total else 1 for topic in topics},
        moods,
        mood_printed=draw(st.booleans()),
        number_drawn=draw(st.booleans()),
        each=least if total else draw(st.integers(1, 5 if single else 2)),
        total=total,
        tries=draw(st.integers(1, 3)),
        similarity=similarity,
        unlike=draw(st.sampled_from([(), TEXTS[:1]])) if similarity else (),
    )
    combinations = sorted(toy.combinations())
    if len(combinations) < 2:
        return toy
    removed = draw(st.none() | st.sampled_from(combinations))
    return Toy(**{**vars(toy), "removed": removed})


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any small project, run and accidents."""
    names = NAMES[: draw(st.integers(1, 3))]
    similarities = draw(st.sampled_from([(None,), (None, 1.0, 0.6)]))
    return World(
        tuple(draw(toys(name, similarities)) for name in names),
        draw(st.frozensets(st.sampled_from(TEXTS), max_size=len(TEXTS))),
        draw(st.frozensets(st.sampled_from(names), min_size=1)),
        draw(st.none() | st.integers(2, 4)),
        draw(st.integers(0, 2**32)),
    )


def planned(world: World) -> AbstractContextManager[Product]:
    return product(world.toys, world.refused, sorted(world.wanted), world.harder)


def pool(world: World, rng: random.Random) -> Sequence[str]:
    """What is answered: anything, what is near to one another, or mostly what is refused."""
    refused = sorted(world.refused) or TEXTS
    return rng.choice([TEXTS, TEXTS[:4], TEXTS[::4], [*refused, *refused, rng.choice(TEXTS)]])


def scripted(world: World, rng: random.Random) -> Callable[[Key], str]:
    """What is answered to each key, always the same."""
    texts = pool(world, rng)
    answers: dict[Key, str] = {}
    return lambda key: answers.setdefault(key, rng.choice(texts))


def compare(world: World, site: Product, held: Mapping[Key, str]) -> model.Settled:
    """What model and product agree on: the model's word for it."""
    settled, amount = model.settle(site.laws, held), site.settle()
    copies = model.copies(settled.rows, held)
    assert list(amount.rows.items()) == [
        (key, (case.scenario, model.split(case, SPLITS)))
        for key, case in settled.rows.items()
        if key not in copies
    ]
    assert amount.refused == settled.refused | dict.fromkeys(copies, "similar")
    for scenario in site.laws.scenarios:
        name = scenario.name
        assert amount.wanted[name] == len(scenario.plan())
        assert amount.open[name] == sum(s.case.scenario == name for _, s in settled.open)
        assert amount.short[name] == {
            c: n for (s, c), n in settled.short.items() if n and s == name
        }
        assert amount.to_ask[name] == settled.to_ask(name)
        last = [s.last_key for _, s in settled.open if s.case.scenario == name]
        displaced = [key for key in last if settled.refused.get(key) == "similar"]
        assert amount.displaced[name] == len(displaced)
    assert sum(amount.answers.values()) == len(settled.rows) + len(settled.refused)
    missing = settled.missing(world.wanted)
    assert site.missing() == {standing.next_key: standing.shown for standing in missing}
    return settled


def cases_stand_in_the_order_of_their_priorities_and_repeats_are_numbered_in_it(
    world: World,
) -> None:
    with planned(world) as site:
        keys = site.laws.keys()
        levels = model.levels(site.laws.scenarios)
        expected = [[(case, keys[case]) for case in level] for level in levels]
        assert site.keys(levels=len(levels)) == [*expected, []]


def any_store_amounts_to_what_the_laws_say(world: World) -> None:
    rng = random.Random(world.seed)
    with planned(world) as site:
        share, tries, texts = rng.choice([0.3, 0.8, 1.0, 1.0]), rng.randint(1, 4), pool(world, rng)
        held = {
            key._replace(attempt=attempt): rng.choice(texts)
            for key in site.laws.keys().values()
            for attempt in range(tries)
            if rng.random() < share
        }
        site.add(held.items())
        compare(world, site, held)


def whatever_wave_is_answered_in_part_the_laws_say_what_is_next(world: World) -> None:
    rng = random.Random(world.seed)
    with planned(world) as site:
        answer = scripted(world, rng)
        held: dict[Key, str] = {}
        while asked := [s.next_key for s in compare(world, site, held).missing(world.wanted)]:
            some = rng.sample(asked, rng.randint((len(asked) + 1) // 2, len(asked)))
            held |= {key: answer(key) for key in some}
            site.add((key, held[key]) for key in some)
        assert held == model.fill(site.laws, {}, answer, world.wanted)


def in_whatever_order_replies_come_and_wherever_runs_are_killed_the_rows_are_the_same(
    world: World,
) -> None:
    rng = random.Random(world.seed)
    with planned(world) as site:
        answer = scripted(world, rng)
        for calls in rng.sample(range(40), 3):
            site.ask(answer, rng, at_once=rng.randint(1, 5), calls=calls)
        while site.missing():
            site.ask(answer, rng, at_once=rng.randint(1, 5), calls=1000)
        expected = model.fill(site.laws, {}, answer, world.wanted)
        held = site.held()
        assert expected.keys() <= held
        settled = compare(world, site, {key: answer(key) for key in held})
        assert settled.rows.keys() == model.settle(site.laws, expected).rows.keys()


def a_run_that_is_stopped_anywhere_and_run_again_ends_as_the_laws_say(world: World) -> None:
    rng = random.Random(world.seed)
    with planned(world) as site:
        expected = model.fill(site.laws, {}, site.usual, world.wanted)
        for _ in range(rng.randint(0, 2)):
            site.run(budget=f"{rng.randint(100, 2000)}tok")
            assert site.held() <= expected.keys()
        site.run()
        assert site.held() == expected.keys()
        compare(world, site, expected)


LAWS: Mapping[Callable[[World], None], int] = {
    cases_stand_in_the_order_of_their_priorities_and_repeats_are_numbered_in_it: 15,
    any_store_amounts_to_what_the_laws_say: 30,
    whatever_wave_is_answered_in_part_the_laws_say_what_is_next: 10,
    in_whatever_order_replies_come_and_wherever_runs_are_killed_the_rows_are_the_same: 20,
    a_run_that_is_stopped_anywhere_and_run_again_ends_as_the_laws_say: 8,
}
"""Each with the number of worlds in which the fast suite looks."""


def search(law: Callable[[World], None], examples: int) -> None:
    settings(max_examples=examples)(given(worlds())(law))()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_in_some_worlds(law: Callable[[World], None]) -> None:
    search(law, LAWS[law])


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_in_many_worlds(law: Callable[[World], None]) -> None:
    search(law, 10 * LAWS[law])


@pytest.mark.xfail(
    strict=True,
    reason="a Literal that `text` names is taken for no text, and silently not compared",
)
def test_a_field_that_the_project_names_as_text_is_compared(tmp_path: Path) -> None:
    folder = projects.write(
        tmp_path,
        {
            "pyproject.toml": f'{projects.SETTINGS}[tool.builder.datasets.letter]\ntext = ["text"]\n',
            "schemas/letters.py": "from typing import Literal\n\nfrom pydantic import BaseModel\n\n\n"
            'class Letter(BaseModel):\n    text: Literal["always the same"]\n',
            "scenarios/letters.yaml": f"{projects.SCENARIO}tries: 1\nsimilarity_below: 1.0\n",
        },
    )
    run = projects.run(folder, "run", "letters", "--quiet")
    # One row and what was refused beside it, or the line of the setting that names no text.
    assert run.code == 5 or "pyproject.toml" in run.err


def test_further_tries_go_one_at_a_time_in_a_run_that_begins_with_open_cases() -> None:
    toy = Toy("a", {"tea": 1}, each=1, tries=1)
    with product([toy], TEXTS, harder=2) as site:
        firsts = list(site.laws.keys().values())
        held = dict.fromkeys(firsts[:3], TEXTS[0])
        site.add(held.items())
        assert list(site.missing()) == [firsts[3]]
        # Its answer is refused as well: now the lowest occurrence is asked further, and it alone.
        assert site.out_after(firsts[3], TEXTS[0]) == [firsts[0]._replace(attempt=1)]
