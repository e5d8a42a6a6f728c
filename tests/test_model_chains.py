"""The product obeys the laws of tests/model_chains.py, whatever the chain and whatever is held."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from builder.errors import InputError
from tests import model_chains
from tests.chains_product import MIXED, TABLE, TAGS, WORDS, Product, Toy, product, side
from tests.model import Key
from tests.model_chains import Beside, Case, Chain, Made

PHASES = [Phase.generate]
NAMES = ("a", "b", "c", "d", "e")
DEEPEST = 4


@dataclass(frozen=True)
class World:
    """A chain, what its schema refuses, and a seed of what happens there."""

    toys: tuple[Toy, ...]
    dealt: bool
    """Whether its datasets have splits."""
    size: int
    """Rows of the table."""
    refused: frozenset[str]
    seed: int


@st.composite
def toys(
    draw: st.DrawFn, name: str, before: tuple[Toy, ...], tries: int, *, dealt: bool, last: bool
) -> Toy:
    """Any scenario over those that stand before it. All have so many tries: what one dataset asks
    another may hold, and further answers count wherever they are held."""
    sources = ["", TABLE, *(toy.name for toy in before), *(toy.name for toy in before)]
    if last and any(toy.home == MIXED for toy in before):
        sources.append(f"@{MIXED}")
    source = draw(st.sampled_from(sources if before else ["", TABLE]))
    home = draw(st.sampled_from(["", "", "none", "" if dealt else MIXED]))
    if source.startswith("@"):
        home = ""
    moods = draw(st.sampled_from([(), ("glad", "sour")]))
    total = draw(st.none() | st.integers(2, 5))
    tag = bool(source) and draw(st.booleans())
    asks = not source or tag or draw(st.sampled_from([True, True, False]))
    beside = None
    if source and asks and draw(st.booleans()):
        n = draw(st.none() | st.integers(1, 2))
        least = draw(st.none() | st.integers(0, n)) if n else None
        beside = Beside(draw(st.sampled_from(sources[1:])), n, least)
    return Toy(
        name,
        source,
        moods,
        tag,
        draw(st.sampled_from(["text", "score"])),
        draw(st.integers(0, 2)) if source else 0,
        (draw(st.integers(0, 1)) if total > 3 else 0) if total else draw(st.integers(1, 2)),
        total,
        tries,
        asks,
        home,
        beside,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any small chain."""
    dealt = draw(st.booleans())
    number, tries = draw(st.integers(2, DEEPEST + 1)), draw(st.integers(1, 2))
    chain: tuple[Toy, ...] = ()
    for name in NAMES[:number]:
        last = name == NAMES[number - 1]
        chain = (*chain, draw(toys(name, chain, tries, dealt=dealt, last=last)))
    return World(
        chain,
        dealt,
        draw(st.integers(1, 5)),
        draw(st.frozensets(st.sampled_from(WORDS), max_size=8)),
        draw(st.integers(0, 2**32)),
    )


def note(rng: random.Random) -> str:
    """Any answer."""
    tags = rng.choices(TAGS, k=rng.randint(0, 3))
    return json.dumps({"text": rng.choice(WORDS), "score": rng.randint(0, 2), "tags": tags})


@contextlib.contextmanager
def agreeing() -> Iterator[None]:
    """Leaves out worlds where no row agrees with any that it is looked up by: their files are wrong."""
    try:
        yield
    except InputError as error:
        assume("agrees with any of" not in str(error))
        raise


def compare(site: Product, held: Mapping[Key, str]) -> Chain:
    """What laws and product agree on: the laws' word for it."""
    with agreeing():
        datasets = site.plan()
    chain, stands = site.chain(held), dict[str, str]()
    for dataset in datasets:
        amount = site.amount(dataset, held)
        home = dataset.name.removeprefix("none:")
        kept = chain.kept(home)
        dealt = next(step.splits for step in chain.steps if step.home == home)
        stand = [(model_chains.name_of(case), model_chains.number_of(case)) for _, case in kept]
        assert amount.rows == [(name, side(u) if dealt else "train") for name, u in stand]
        stands |= amount.rows if dealt else ()
        assert amount.keys == {key for key, _ in kept if key.repeat >= 0}
        walks = [walk for (name, _), (walk, _) in chain.settled.items() if name == home]
        refused = {k: s for walk in walks for k, s in walk.settled.refused.items() if k.repeat >= 0}
        rows = [
            (key, case)
            for (name, _), (_, rows) in chain.settled.items()
            if name == home
            for key, case in rows
        ]
        assert amount.refused == refused | {
            key: "similar" for key, case in rows if (key, case) not in kept
        }
        for part in dataset.scenarios:
            name, scenario = part.name, chain.scenarios[part.name]
            short = sum(
                n for walk in walks for group, n in walk.settled.short.items() if group[0] == name
            )
            if isinstance(scenario, Made) and scenario.total is not None and not scenario.waits:
                short += scenario.total - len(scenario.plan())
            assert amount.short[name] == short
            assert amount.lost[name] == sum(walk.lost[name] for walk in walks)
            opened = [s for walk in walks for _, s in walk.settled.open if s.case.scenario == name]
            assert amount.open[name] == len(opened)
    assert_beside_their_roots(chain, stands)
    return chain


def assert_beside_their_roots(chain: Chain, stands: Mapping[str, str]) -> None:
    """No row has what it is made from in another split; `stands` are those of all rows."""
    for _, rows in chain.settled.values():
        for _, case in rows:
            name, split = model_chains.name_of(case), side(model_chains.number_of(case))
            up = stands.get(case.unit.row.id, split) if isinstance(case, Case) else split
            assert name not in stands or stands[name] == up


def any_store_amounts_to_what_the_laws_say(world: World) -> None:
    rng = random.Random(world.seed)
    with product(world.toys, dealt=world.dealt, size=world.size) as site:
        site.edit(world.toys, world.refused, dealt=world.dealt, size=world.size)
        held: dict[Key, str] = {}
        for _ in range(6):
            missing = sorted({s.next_key for _, s in compare(site, held).missing()})
            fresh = {key: note(rng) for key in missing if rng.random() < 0.7}
            site.add(fresh.items())
            held |= fresh
        compare(site, held)


def edited(world: World, rng: random.Random) -> World:
    """The world with one file changed."""
    number = rng.randrange(len(world.toys))
    toy = world.toys[number]
    change = rng.choice(["word", "keep", "tries", "refused", "size", "moods"])
    if change == "refused":
        return dataclasses.replace(world, refused=frozenset(rng.sample(WORDS, 4)))
    if change == "size":
        return dataclasses.replace(world, size=rng.randint(1, 5))
    if change == "tries":
        harder = tuple(dataclasses.replace(t, tries=t.tries + 1) for t in world.toys)
        return dataclasses.replace(world, toys=harder)
    if change == "word":
        toy = dataclasses.replace(toy, word=rng.choice(["On", "Of"]))
    elif change == "keep" and toy.source:
        toy = dataclasses.replace(toy, keep=rng.randint(0, 2))
    elif change == "moods" and not toy.each:
        toy = dataclasses.replace(toy, moods=rng.choice([(), ("glad",), ("glad", "sour")]))
    changed = (*world.toys[:number], toy, *world.toys[number + 1 :])
    return dataclasses.replace(world, toys=changed)


def whatever_is_edited_and_wherever_runs_are_stopped_the_end_is_that_of_one_run(
    world: World,
) -> None:
    rng = random.Random(world.seed)
    with product(world.toys, dealt=world.dealt, size=world.size) as site:
        for _ in range(rng.randint(1, 3)):
            site.edit(world.toys, world.refused, dealt=world.dealt, size=world.size)
            with agreeing():
                site.run(budget=f"{rng.randint(50, 1500)}tok")
            world = edited(world, rng)
        site.edit(world.toys, world.refused, dealt=world.dealt, size=world.size)
        with agreeing():
            site.run()
            site.plan()
        held = site.held()
        chain = compare(site, held)
        assert not chain.missing()
        calm = model_chains.fill(site.chain, {}, site.usual)
        assert calm.keys() <= held.keys()
        undisturbed = site.chain(calm)
        for home in {step.home for step in chain.steps}:
            assert chain.kept(home) == undisturbed.kept(home)


LAWS: Mapping[Callable[[World], None], int] = {
    any_store_amounts_to_what_the_laws_say: 6,
    whatever_is_edited_and_wherever_runs_are_stopped_the_end_is_that_of_one_run: 3,
}
"""Each with the number of worlds in which the fast suite looks."""


def search(law: Callable[[World], None], examples: int) -> None:
    settings(max_examples=examples, phases=PHASES)(given(worlds())(law))()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_in_some_chains(law: Callable[[World], None]) -> None:
    search(law, LAWS[law])


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_in_many_chains(law: Callable[[World], None]) -> None:
    search(law, 15 * LAWS[law])
