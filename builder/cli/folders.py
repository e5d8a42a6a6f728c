"""The folders of datasets as text: what they hold, what was refused, what stood there before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from builder.cli import stderr
from builder.text import counted, fit

if TYPE_CHECKING:
    # A plan is printed without what exports import.
    from builder.dataset.exports import Earlier, Export
    from builder.results.tally import Tally


def lines(export: Export) -> str:
    """What the folder of a dataset holds now, and why it is not more."""
    splits = ", ".join(f"{name} {count}" for name, count in export.splits.items())
    stood = export.before.rows if export.before else 0
    texts = [
        f"{export.name}: {export.rows} of {counted(export.wanted, 'row')}"
        + (f" ({splits})" if len(export.splits) > 1 else "")
        + (f", where {stood} stood before" if export.changed and stood > export.rows else "")
    ]
    if export.kept:
        texts = [f"{export.name}: left alone, {_kept(export, stood)}"]
    elif export.empty_splits:
        texts.append(f"  left out, for no row fell into it: split {', '.join(export.empty_splits)}")
    texts += [f"  {note}" for note in (*export.altered, *export.copies.notes(export.rows))]
    texts += _rejected(export)
    texts += [line for name, tally in export.tallies.items() for line in _lacking(name, tally)]
    return "\n".join(texts)


def _lacking(name: str, tally: Tally) -> Iterator[str]:
    """Why a scenario has fewer rows than it could."""
    if tally.refused:
        yield (
            f"  {name}: {counted(tally.refused, 'case')} refused for good: the rows that they are made "
            "from leave nothing else to ask"
        )
    combinations = {number: rows for number, rows in tally.short.items() if number >= 0}
    if len(combinations) < len(tally.short):
        pool = sum(tally.short.values()) - sum(combinations.values())
        yield f"  {name}: the pool that its rows are made from is {counted(pool, 'row')} too small"
    if combinations:
        yield (
            f"  {name}: {counted(sum(combinations.values()), 'row')} short in "
            f"{counted(len(combinations), 'combination')} after all tries; "
            "`builder run --tries T` asks on"
        )


def earlier(stood: Earlier) -> str:
    """What stands in a folder that the files of now do not ask for."""
    folder = stderr.shown_path(stood.folder)
    when = since(stood.edits) or " from an earlier export"
    return f"{counted(stood.rows, 'row')}{when}; {folder} still holds them"


def _kept(export: Export, stood: int) -> str:
    """Why a folder was left alone, and what to do about it."""
    holds = f"it holds {counted(stood, 'row')}{since(export.edits)}" if stood else "it holds data"
    now = f"{holds}, and now {export.rows} of {counted(export.wanted, 'row')} would stand there"
    more = f"`builder run` asks for {export.to_ask or 'the rows that it is made from'}"
    if not export.rows:
        empty = "nothing is written over something: delete the folder if it is to go"
        return f"{now}; {more if export.to_ask or export.coming else empty}"
    return f"{now}; {more}, `builder export {export.name} --partial` writes what there is"


def since(edits: Sequence[str]) -> str:
    """When rows were made that the files of now do not ask for.

    >>> since(["prompts/bill.j2", "schemas/bill.py"]), since([])
    (' from before your edit of prompts/bill.j2 and schemas/bill.py', '')
    """
    more = f" and {len(edits) - 2} more files" if len(edits) > 3 else ""
    names = list(edits[:2] if more else edits)
    files = f"{', '.join(names)}{more}" if more else " and ".join(names)
    return f" from before your edit of {files}" if names else ""


def _rejected(export: Export) -> list[str]:
    """The rejects that were not there before, by reason."""
    fresh = export.new_reasons if export.changed else Counter[tuple[str, str]]()
    if not fresh:
        return []
    refused = sum(tally.rejects for tally in export.tallies.values())
    what = counted(refused, "answer")
    if fresh.total() < refused:
        what = f"{counted(fresh.total(), 'more answer')} of {refused}"
    home = "`builder show --rejects` has them" if export.kept else (
        f"all in {export.folder.name}/rejects.jsonl"
    )  # fmt: skip
    lines = [f"  {what} rejected, {home}; most often:"]
    for (stage, reason), count in fresh.most_common(5):
        example = export.examples[stage, reason]
        lines.append(f"    {count} × {stage}: {fit(reason, 90).rstrip()}")
        lines.append(f"        e.g. {fit(example.raw, 86).rstrip()}")
    return lines
