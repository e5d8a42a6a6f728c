"""Rows whose texts are exact copies of another's: how many, and how many in a row."""

from array import array
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import orjson

from builder.plan import columns
from builder.plan.plans import DatasetPlan
from builder.results.rows import Batch
from builder.text import counted

REPEATED = 20  # Rows of one text in a row that are worth a word.


class Copies:
    """Hashes of a dataset's texts, eight bytes a row, fed by batches."""

    def __init__(self, dataset: DatasetPlan) -> None:
        self._fields: Mapping[str, Sequence[str]] = {
            part.name: columns.text_fields(part, dataset.text) for part in dataset.scenarios
        }
        self._hashes = array("q")

    def add(self, batch: Batch) -> None:
        """The texts of some rows; rows without any are no copies."""
        texts = [batch.columns[name] for name in self._fields[batch.scenario]]
        if len(texts) == 1 and set(map(type, texts[0])) == {str}:
            self._hashes.extend(map(hash, texts[0]))
        elif texts:
            self._hashes.extend(hash(orjson.dumps(row)) for row in zip(*texts, strict=True))

    def notes(self, rows: int) -> Iterator[str]:
        """A line about the copies among so many rows, where there are any."""
        if count := self.count:
            repeated = self.in_a_row
            yield (
                f"{count:,} of {counted(rows, 'row')} are exact copies of another"
                + f", {repeated:,} in a row" * (repeated >= REPEATED)
                + ": similarity_below refuses copies"
            )

    @property
    def count(self) -> int:
        """Rows that copy a row before them."""
        return int(np.count_nonzero(np.diff(np.sort(np.frombuffer(self._hashes, np.int64))) == 0))

    @property
    def in_a_row(self) -> int:
        """The most rows of one text that stand behind one another."""
        hashes = np.frombuffer(self._hashes, np.int64)
        ends = np.flatnonzero(np.append(hashes[1:] != hashes[:-1], [True] * bool(len(hashes))))
        return int(np.diff(ends, prepend=-1).max(initial=0))
