"""publish, diff: from a dataset's folder to the Hub, and from one release to the next."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder import io
from builder.cli import view
from builder.cli.application import Verb
from builder.cli.common import (
    datasets_of,
    planned,
    say,
)
from builder.cli.options import project_options
from builder.errors import InputError
from builder.text import visible

if TYPE_CHECKING:
    from builder.dataset.history import Change

SHARES = 12
"""Values of an axis that are shown."""


@click.command(cls=Verb)
@click.argument("dataset", metavar="DATASET", help="Dataset or schema class.")
@click.argument("repository", metavar="REPO", help="owner/name on the Hub.")
@click.option("--public", is_flag=True, help="For everybody to see.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--tag", default="", metavar="TAG", help="Name this release, e.g. v1.2.")
@project_options
def publish(
    dataset: str,
    repository: str,
    tag: str,
    project: Path,
    *,
    public: bool,
    dry_run: bool,
    yes: bool,
    quiet: bool,
) -> None:
    """Put an exported dataset onto the Hub, in one commit. Private unless told."""
    from builder import store
    from builder.dataset import exports
    from builder.hub import releases, remote

    found, made = planned(project, None)
    (one,) = datasets_of(made, [dataset])
    token = _token(found.environ(), needed=not dry_run)
    with store.locked(found.outputs), ExitStack() as stack:
        there = stack.enter_context(remote.opened(repository, token)) if token else None
        with store.reading(found.store, check=True) as held:
            reasons, tallies = exports.stale_reasons(made, one, held)
        _whole(one.name, reasons, sum(tally.open for tally in tallies.values()))
        folder = exports.folder(made, one)
        releases.refuse_failures(one.name, _measured(made, one, found.store, folder, quiet=quiet))
        if there is None:
            say(_here(folder), quiet=quiet)
            return
        looked = releases.prepare(there, folder, public=public, tag=tag)
        for line in (*_told(looked), *looked.notes):
            say(line, quiet=quiet)
        if dry_run:
            say("nothing was sent", quiet=quiet)
            return
        if looked.empty and (not looked.tag or looked.tagged):
            say("nothing changed", quiet=quiet)
        else:
            _confirm(looked, yes=yes)
        done = releases.send(there, looked)
    if done.made:
        say(f"committed {done.commit[:10]}", quiet=quiet)
    if done.tagged:
        say(f"tagged {looked.tag}", quiet=quiet)
    print(done.url)


@click.command(cls=Verb)
@click.argument("before", metavar="A", help="A folder, a dataset, REPO@TAG, REPO@COMMIT or REPO.")
@click.argument("after", metavar="B", help="The same; a TAG alone is one of A's REPO.")
@click.option("--dataset", default="", help="Which of a repository's datasets.")
@click.option("--json", "as_json", is_flag=True, help="The differences as JSON.")
@project_options
def diff(
    before: str, after: str, dataset: str, project: Path, *, as_json: bool, quiet: bool
) -> None:
    """Show what lies between two releases: rows, shares by axis, gates."""
    from builder.hub import comparison

    with ExitStack() as stack:
        left = _side(before, "", dataset, project, stack)
        here = before.partition("@")[0] if "@" in before else ""
        right = _side(after, here, dataset, project, stack)
        found = comparison.between(left, right)
    print(json.dumps(found.as_dict(), ensure_ascii=False, indent=2) if as_json else _shown(found))


def _here(folder: Path) -> str:
    """What a dry run can say without a token."""
    from builder.dataset import manifests

    manifest = manifests.read(folder)
    rows = manifest.rows if manifest else 0
    data = [path.stat().st_size for path in (folder / "data").iterdir()]
    return (
        f"{folder.name}: {rows:,} rows, {sum(data):,} bytes in {len(data)} data files\n"
        "HF_TOKEN is not set: what the Hub has was not looked at\nnothing was sent"
    )


def _token(environ: Mapping[str, str], *, needed: bool) -> str:
    """The token in HF_TOKEN; InputError where one is needed and not set."""
    token = environ.get("HF_TOKEN", "").strip()
    if needed and not token:
        raise InputError(
            "no token: HF_TOKEN is not set",
            hint="it holds a token with the right to write, from https://huggingface.co/settings/tokens",
        )
    return token


def _measured(plan: Any, one: Any, path: Path, folder: Path, *, quiet: bool) -> Any:
    """What the gates find of the rows that are to be published."""
    from builder import store
    from builder.verbs import checking

    found = checking.current(plan, one, folder)
    if found is not None:
        return found
    say("measuring the gates", quiet=quiet)
    with store.reading(path) as held:
        fresh = checking.dataset(plan, one, held)
    with io.writing(folder):
        checking.write(folder, fresh)
    return fresh.findings


def _whole(name: str, reasons: list[str], missing: int) -> None:
    """InputError where the folder is not what the files ask for."""
    if reasons:
        more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        raise InputError(
            f"{name} is not published: {'; '.join(reasons[:5])}{more}",
            hint=f"builder export {name} writes it anew; then check and publish it",
        )
    if missing:
        raise InputError(
            f"{name} is not published: {missing:,} of its rows are planned and not asked for yet",
            hint="builder run asks for them",
        )


def _told(looked: Any) -> Iterator[str]:
    """What publishing would do."""
    seen = "private" if looked.private else "public"
    fresh = ", to be made" if looked.parent is None else ""
    yield f"{looked.repository} on the Hub: {seen}{fresh}"
    yield f"{looked.dataset}: {looked.rows:,} rows, {looked.size:,} bytes"
    yield (
        f"to send: {looked.sent:,} bytes in {len(looked.changed)} files, {looked.data} of them data; "
        f"{looked.kept} data files stay, {len(looked.deleted)} files go"
    )
    if looked.release is not None:
        since = looked.release.since
        yield f"release {looked.tag}" + (f", since {since}:" if since else ", the first")
        for scenario, change in looked.release.changes.items():
            if change:
                yield f"  {scenario}: {_changed(change)}"


def _changed(change: Change) -> str:
    return f"{change.added:,} added, {change.removed:,} removed, {change.changed:,} changed"


def _confirm(looked: Any, *, yes: bool) -> None:
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError("nobody is here to be asked", hint="say --yes to publish")
    seen = "private" if looked.private else "public"
    what = f"{looked.rows:,} rows, {looked.sent:,} bytes to send"
    if not click.confirm(f"publish to {looked.repository} ({seen}; {what})?", err=True):
        raise InputError("not published")


def _side(text: str, repository: str, dataset: str, project: Path, stack: ExitStack) -> Any:
    """The release that a word on the command line names."""
    from builder.hub import comparison, remote

    name, at, revision = text.partition("@")
    if Path(text).is_dir():
        return comparison.folder(Path(text))
    if not at and "/" not in text:
        own = _folder(text, project)
        if own is not None:
            return comparison.folder(own)
        if not repository:
            raise InputError(
                f"no folder and no exported dataset {text!r}",
                hint="REPO@TAG names a release on the Hub",
            )
        name, revision = repository, text
    token = _environ(project).get("HF_TOKEN", "").strip()
    there = stack.enter_context(remote.opened(name, token))
    head = there.head(revision or remote.BRANCH)
    if head is None:
        raise InputError(f"the Hub has no dataset {name}, or HF_TOKEN may not see it")
    return comparison.revision(there, head.commit, dataset, text if at else f"{name}@{revision or 'main'}")  # fmt: skip


def _folder(name: str, project: Path) -> Path | None:
    """The folder of an exported dataset of this project."""
    from builder.project.settings import NAME, Project

    try:
        folder = Project.find(project).outputs / name
    except InputError:
        return None
    return folder if NAME.match(name) and folder.is_dir() else None


def _environ(project: Path) -> Any:
    """A project's environment; that of the process where there is no project."""
    import os

    from builder.project.settings import Project

    try:
        return Project.find(project).environ()
    except InputError:
        return os.environ


def _shown(found: Any) -> str:
    lines = [f"{found.before.name} → {found.after.name}: {_changed(found.total)}"]
    rows: list[list[Any]] = [
        [name, change.added, change.removed, change.changed]
        for name, change in found.scenarios.items()
    ]
    if rows:
        lines += ["", view.table(["scenario", "added", "removed", "changed"], rows)]
    for axis, values in found.axes.items():
        moved = sorted(values, key=lambda v: -abs((v[1] or 0) - (v[2] or 0)))[:SHARES]
        cells = [[visible(value), _share(a), _share(b)] for value, a, b in moved]
        lines += ["", view.table([visible(axis), "before", "after"], cells)]
    if found.gates:
        cells = [[gate, what, _figure(a), _figure(b)] for gate, what, a, b in found.gates]
        lines += ["", view.table(["gate", "of", "before", "after"], cells)]
    return "\n".join(lines)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"
