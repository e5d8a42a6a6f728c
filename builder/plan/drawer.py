"""Draws the lines of `draw`: fitted once, drawn for any cases in any chunks."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder import io
from builder.errors import InputError, nearest
from builder.plan import upstream
from builder.plan.spread import Source
from builder.plan.upstream import SourceRows
from builder.project.carriers import Record
from builder.project.documents import describe
from builder.project.draws import EXAMPLES, Draw
from builder.sampling import packed, samplers
from builder.sampling.sampler import Arrays, Sampler
from builder.table.tables import STRING, Kind, Table

SHOWN = 20  # Values of a column that an error lists.
FIT_VERSION = 2  # Raised when a sampler learns something else from the same table.

WHOLE = "bootstrap"  # The sampler of groups too small for the one that was asked for.


@dataclass(slots=True)
class Drawer:
    """Draws the values of a scenario's cases, its fits loaded or made as they are first needed."""

    draws: Sequence[Draw]
    source: Source
    fits: Path
    notes: list[str] = field(default_factory=list)  # what was done otherwise than written, and why
    # The rows of lines that draw from rows made here, by what they fill.
    rows_of: Mapping[tuple[str, ...], SourceRows] = field(default_factory=dict)
    _groups_of: dict[tuple[str, ...], Mapping[str, NDArray[np.int64]]] = field(default_factory=dict)
    _learned: dict[tuple[tuple[str, ...], object], tuple[type[Sampler], Arrays]] = field(
        default_factory=dict
    )

    def draw(
        self,
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
        combinations: Sequence[Mapping[str, Any]],
        redraw: int = 0,
        own: Sequence[int] = (),
    ) -> list[dict[str, Any]]:
        """For each of n cases, its drawn values by name. `own` are 64 bits of the ids of the rows
        that the cases are made from, which they do not draw."""
        values: list[dict[str, Any]] = [{} for _ in combinations]
        for draw in self.draws:
            if draw.source is not None:
                self._fill_of_rows(draw, values, index, occurrence, combinations, redraw, own)
                continue
            for group, rows in _groups(draw, combinations):
                targets = (
                    values if isinstance(rows, slice) else [values[row] for row in rows.tolist()]
                )
                self._fill(draw, group, targets, index[rows], occurrence[rows], redraw)
        return values

    def kinds(
        self,
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
        combinations: Sequence[Mapping[str, Any]],
    ) -> dict[str, Kind]:
        """What each drawn column holds, seen on one case."""
        kinds: dict[str, Kind] = {}
        for draw in self.draws:
            if draw.source is not None:
                known = self.rows_of[draw.names].kinds
                theirs = draw.options.get("columns", draw.columns)
                kinds.update(
                    (name, known.get(field_, STRING))
                    for name, field_ in zip(draw.columns, theirs, strict=False)
                )
                continue
            if draw.table is not None:
                kinds.update((name, draw.table.columns[name].kind) for name in draw.columns)
                continue
            sampler, arrays = self._arrays(draw, None)
            u = self.source.uniforms(index, occurrence, "", sampler.width(arrays))
            kinds[draw.names[0]] = sampler.draw(arrays, u)[""].kind
        return kinds

    def _fill_of_rows(
        self, draw: Draw, targets: Sequence[dict[str, Any]], index: NDArray[np.int64],
        occurrence: NDArray[np.int32], combinations: Sequence[Mapping[str, Any]], redraw: int,
        own: Sequence[int],
    ) -> None:  # fmt: skip
        """Draws rows made here, each case others than its own."""
        rows, count = self.rows_of[draw.names], int(draw.options.get("n", 1))
        u = self.source.uniforms(index, occurrence, ",".join(draw.names), count + 1, redraw)
        everyone = np.arange(len(rows))
        groups = self._by(draw, rows) if draw.by else {}
        numbers: list[NDArray[np.int64]] = []
        for case, uniforms in enumerate(u.tolist()):
            pool = everyone
            if draw.by:
                pool = groups.get(upstream.printed(combinations[case][draw.by[0]]), everyone[:0])
            picked = pool[_places(len(pool), uniforms)]
            if own:
                picked = picked[rows.words[picked] != np.uint64(own[case])]
            numbers.append(picked[:count])
        every = np.concatenate(numbers) if numbers else everyone[:0]
        records = iter([row.record() for row in rows.rows(every)])
        columns = draw.options.get("columns") or draw.columns
        for target, chosen in zip(targets, numbers, strict=True):
            shots = [next(records) for _ in chosen]
            if len(shots) < count:
                continue  # too few rows: it makes no case
            if draw.sampler == "choice":
                target[draw.names[0]] = shots[0].get(columns[0])
                continue
            if columns:
                shots = [Record({name: shot.get(name) for name in columns}) for shot in shots]
            target.update({draw.names[0]: shots} if draw.sampler == EXAMPLES else shots[0])

    def _by(self, draw: Draw, rows: SourceRows) -> Mapping[str, NDArray[np.int64]]:
        """The rows of each value of the field that `by` names."""
        assert draw.by is not None
        if draw.names not in self._groups_of:
            listed: dict[str, list[int]] = {}
            for number, row in enumerate(rows.each()):
                listed.setdefault(upstream.printed(row.record().get(draw.by[1])), []).append(number)
            self._groups_of[draw.names] = {v: np.array(n) for v, n in listed.items()}
        return self._groups_of[draw.names]

    def _fill(
        self, draw: Draw, value: object, targets: list[dict[str, Any]],
        index: NDArray[np.int64], occurrence: NDArray[np.int32], redraw: int,
    ) -> None:  # fmt: skip
        purpose = ",".join(draw.names)
        if draw.sampler == EXAMPLES:
            records = self._records(draw, value)
            u = self.source.uniforms(index, occurrence, purpose, draw.options["n"], redraw)
            for target, numbers in zip(targets, u.tolist(), strict=True):
                target[draw.names[0]] = _pick(records, numbers)
            return
        sampler, arrays = self._arrays(draw, value)
        u = self.source.uniforms(index, occurrence, purpose, sampler.width(arrays), redraw)
        columns = sampler.draw(arrays, u)
        for name in draw.names:
            scalars = columns[name if sampler.fitted else ""].scalars()
            for target, scalar in zip(targets, scalars, strict=True):
                target[name] = scalar

    def _records(self, draw: Draw, value: object) -> list[dict[str, Any]]:
        table = self.rows(draw, value).select(draw.options["columns"])
        if len(table) < draw.options["n"]:
            within = f" with {draw.by[1]} {describe(value)}" if draw.by else ""
            raise InputError(
                f"{draw.options['n']} examples are asked for and the table has {len(table)} rows{within}",
                place=draw.place,
            )
        return list(table.records())

    def rows(self, draw: Draw, value: object) -> Table:
        """The rows of the line's table that a value of `by` selects; all of them without `by`."""
        assert draw.table is not None
        if draw.by is None:
            return draw.table
        cells = draw.table.column(draw.by[1]).scalars()
        chosen = np.array([cell == value or str(cell) == str(value) for cell in cells])
        if not chosen.any():
            file = draw.table.source.name if draw.table.source else "the table"
            there = list(dict.fromkeys(str(cell) for cell in cells if cell is not None))
            raise InputError(
                f"{file} has no row whose {draw.by[1]} is {describe(value)}, a value of {draw.by[0]!r}."
                f"{nearest(str(value), there)}",
                place=draw.place,
                hint=f"its values of {draw.by[1]}: {', '.join(there[:SHOWN])}{', …' * (len(there) > SHOWN)}",
            )
        return draw.table.take(chosen)

    def learned(self, draw: Draw, value: object) -> Arrays:
        """What the sampler of this line learned from the rows of a value of `by`."""
        return self._arrays(draw, value)[1]

    def _arrays(self, draw: Draw, value: object) -> tuple[type[Sampler], Arrays]:
        key = (draw.names, value)
        if key not in self._learned:
            self._learned[key] = self._learn(draw, value)
        return self._learned[key]

    def _learn(self, draw: Draw, value: object) -> tuple[type[Sampler], Arrays]:
        sampler = samplers.sampler(draw.sampler)
        if not sampler.fitted:
            return sampler, sampler.fit(Table({}), draw.options, np.random.default_rng(0))
        table = self.rows(draw, value).select(draw.columns)
        try:
            return sampler, self._fit(draw.sampler, table, draw.options)
        except ValueError as error:
            if draw.by is None:
                raise InputError(str(error), place=draw.place) from None
            self.notes.append(
                f"{draw.by[1]} {describe(value)}: {error}, so its {len(table)} rows are drawn "
                f"whole ({WHOLE}) instead of by {draw.sampler}"
            )
        whole = samplers.sampler(WHOLE)
        return whole, self._fit(WHOLE, table, whole.options({}))

    def _fit(self, name: str, table: Table, options: Mapping[str, Any]) -> Arrays:
        """What a sampler learns from a table, kept under its digest. ValueError where it cannot."""
        # In an order of its own: rows that trade places in the file change nothing.
        table = packed.canonical(table)
        content = [FIT_VERSION, name, table.digest(), dict(options)]
        data = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
        digest = _digest(data.encode())
        file = self.fits / f"{digest.hex()}.npz"
        if (arrays := _kept(file)) is None:
            rng = np.random.default_rng(int.from_bytes(digest, "big"))
            arrays = samplers.sampler(name).fit(table, options, rng)
            _keep(file, arrays)
        return arrays


def _groups(
    draw: Draw, combinations: Sequence[Mapping[str, Any]]
) -> list[tuple[object, NDArray[np.int64] | slice]]:
    """The values of `by` with the rows that have each; None with all rows where it is not there."""
    if draw.by is None:
        return [(None, slice(None))]
    groups: dict[object, list[int]] = {}
    for row, combination in enumerate(combinations):
        groups.setdefault(combination[draw.by[0]], []).append(row)
    return [(value, np.array(rows)) for value, rows in groups.items()]


def _pick(records: Sequence[dict[str, Any]], numbers: Sequence[float]) -> list[dict[str, Any]]:
    """As many different records as there are numbers."""
    return [records[place] for place in _places(len(records), numbers)]


def _places(size: int, numbers: Sequence[float]) -> list[int]:
    """As many different places below `size` as there are numbers, all of them where there are
    fewer: a partial Fisher-Yates shuffle."""
    moved: dict[int, int] = {}
    chosen = []
    for taken, u in enumerate(numbers[:size]):
        at = taken + int(u * (size - taken))
        chosen.append(moved.get(at, at))
        moved[at] = moved.get(taken, taken)
    return chosen


def _kept(file: Path) -> Arrays | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    if _digest(content[:-16]) != content[-16:]:
        return None  # torn or damaged: it is learned anew from the table
    with np.load(BytesIO(content[:-16]), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _keep(file: Path, arrays: Arrays) -> None:
    stream = BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    content = stream.getvalue()
    # A folder that cannot be written costs a fit each time, nothing else.
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        io.write(file, content + _digest(content))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
