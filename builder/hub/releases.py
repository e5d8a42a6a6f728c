"""Publishing: a dataset's folder onto the Hub, in one commit that changes only what differs.

A repository holds each dataset in a folder of its own, as a config of one card: data/, plots/,
manifest.json, report.json of the gates, and releases.json with what changed from one tag to
the next. Nothing is written before all was looked at, and everything then at once.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from builder.dataset import card, files, history, manifests, sections
from builder.errors import GateError, HubError, InputError
from builder.hub import comparison, remote
from builder.quality import report_file
from builder.quality.findings import Finding
from builder.text import counted

Content = Path | bytes  # a file that is to be sent: where it stands, or what is in it
SHOWN = 5  # failed gates that are named in one line


@dataclass(frozen=True, slots=True)
class Publication:
    """What publishing would change."""

    repository: str
    dataset: str
    private: bool
    rows: int
    size: int
    # The commit that is to be there still; None for a repository that is to be made.
    parent: str | None
    changed: Mapping[str, Content]
    deleted: Sequence[str]
    sent: int
    data: int  # data files among what changed
    kept: int  # data files that stay as they are
    tag: str = ""
    tagged: bool = False  # whether the tag is there already
    release: history.Release | None = None
    notes: list[str] = field(default_factory=list)
    looked_at: bool = True  # whether the repository was; else all is compared with nothing

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file that is to be sent."""
        return {path: _size(content) for path, content in self.changed.items()}

    @property
    def empty(self) -> bool:
        return not self.changed and not self.deleted and self.parent is not None

    @property
    def message(self) -> str:
        return f"{self.dataset}{f' {self.tag}' * bool(self.tag)}: {self.rows:,} rows"


@dataclass(frozen=True, slots=True)
class Published:
    """Where a publication ended."""

    commit: str
    url: str
    made: bool  # whether there is a new commit
    tagged: bool


def refuse_failures(name: str, findings: Iterable[Finding]) -> None:
    """Raises GateError where a gate failed: nothing is published then."""
    if failed := [_failure(finding) for finding in findings if finding.verdict == "fail"]:
        more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        raise GateError(
            f"{len(failed)} gate{'s' * (len(failed) > 1)} of {name} failed: "
            f"{'; '.join(failed[:SHOWN])}{more}",
            hint="nothing was published; report.html shows more",
        )


def _failure(finding: Finding) -> str:
    what = f" of {finding.what}" if finding.what else ""
    limit = "" if finding.limit is None else f", limit {finding.limit:.4g}"
    advice = f": {finding.advice}" if finding.advice else ""
    return f"{finding.gate}{what} is {finding.value:.4g}{limit}{advice}"


def prepare(
    repository: remote.Remote,
    folder: Path,
    *,
    public: bool = False,
    tag: str = "",
    resplit: bool = False,
) -> Publication:
    """What publishing an exported folder would change; nothing is written.

    Raises InputError where the repository is more public than was said, the tag is taken, or rows
    that it holds would change sides and nobody said `resplit`.
    """
    exported = manifests.parse((folder / manifests.NAME).read_bytes())
    data = {name: file for name, file in exported.files.items() if name.startswith("data/")}
    manifest = exported.model_copy(update={"files": data})  # rejects stay at home
    if tag and not remote.REVISION.match(tag):
        raise InputError(f"{tag!r} is no name of a release", hint="e.g. v1.2")
    head = repository.head()
    notes = _visibility_notes(repository.name, head, public=public)
    commit = head.commit if head else ""
    entries = repository.entries(commit) if head else {}
    state = _State(repository, commit, entries)
    published = _published(state, manifest.dataset)
    if published is not None and published.splits_by != manifest.splits_by and not resplit:
        _refuse_moves(state, folder, manifest.dataset)
    release, releases = _release(state, folder, manifest, tag)
    contents = _contents(state, folder, manifest, releases)
    changed = {path: c for path, c in contents.items() if not _holds(entries.get(path), c)}
    ours = (f"{manifest.dataset}/data/", f"{manifest.dataset}/plots/")
    deleted = sorted(path for path in entries if path.startswith(ours) and path not in contents)
    shards = [path for path in contents if path.startswith(ours[0])]
    tags = repository.tags() if head and tag else {}
    if tag in tags and (changed or deleted):
        raise InputError(
            f"the release {tag} of {repository.name} is there already, with other content",
            hint="name another, e.g. the next number",
        )
    if published is not None and published.features != manifest.features:
        notes.append("the columns changed, so every data file is written anew")
    return Publication(
        repository=repository.name,
        dataset=manifest.dataset,
        private=head.private if head else not public,
        rows=manifest.rows,
        size=sum(_size(contents[path]) for path in shards),
        parent=commit or None,
        changed=changed,
        deleted=deleted,
        sent=sum(map(_size, changed.values())),
        data=sum(path in changed for path in shards),
        kept=sum(path not in changed for path in shards),
        tag=tag,
        tagged=tag in tags,
        release=release,
        notes=notes,
        looked_at=repository.looked_at,
    )


def _visibility_notes(name: str, head: remote.Head | None, *, public: bool) -> list[str]:
    """What is to be said of a repository that is private; InputError for one that is public unsaid."""
    if head is not None and not head.private and not public:
        raise InputError(
            f"{name} is public, and nobody said --public",
            hint="say --public, or publish elsewhere",
        )
    if head is not None and head.private and public:
        return [f"{name} is private and stays so; its settings on the Hub change that"]
    return []


def send(repository: remote.Remote, planned: Publication) -> Published:
    """Publishes what was prepared: at most one commit, and the tag.

    Raises HubError where somebody else was faster.
    """
    if (commit := planned.parent) is None:
        repository.create(private=planned.private)
        head = repository.head()
        if head is None or head.private != planned.private:
            raise HubError(f"{planned.repository} was made by somebody else meanwhile")
        commit = head.commit
    if not planned.empty:
        commit = repository.commit(
            planned.changed, planned.deleted, parent=commit, message=planned.message
        )
    tagged = bool(planned.tag) and not planned.tagged
    if tagged:
        repository.tag(planned.tag, commit)
    return Published(commit, repository.url, not planned.empty, tagged)


@dataclass(frozen=True, slots=True)
class _State:
    """What a repository holds at one commit; nothing where it is to be made."""

    repository: remote.Remote
    commit: str
    entries: Mapping[str, remote.Entry]

    def read(self, path: str) -> bytes | None:
        return self.repository.read(path, self.commit) if path in self.entries else None


def _contents(
    state: _State, folder: Path, manifest: manifests.Manifest, releases: Sequence[history.Release]
) -> dict[str, Content]:
    name, repository = manifest.dataset, state.repository.name
    facts = sections.Facts(
        manifest, manifests.report_of(folder, manifest), releases, f"{name}/", repository
    )
    others = [other for other in comparison.datasets_in(state.entries) if other != name]
    datasets = {name: facts, **{other: _other(state, other) for other in others}}
    contents: dict[str, Content] = {f"{name}/{path}": folder / path for path in manifest.files}
    contents |= {f"{name}/{path}": figure.encode() for path, figure in card.draw(facts).items()}
    contents[f"{name}/{manifests.NAME}"] = manifest.as_json().encode()
    if facts.report is not None:
        contents[f"{name}/report.json"] = (folder / "report.json").read_bytes()
    if releases:
        contents[f"{name}/{history.NAME}"] = history.as_json(releases).encode()
    contents[card.NAME] = card.render([datasets[key] for key in sorted(datasets)]).encode()
    return contents


def _other(state: _State, name: str) -> sections.Facts:
    """Another dataset of the repository, for the card over all of them."""
    report = state.read(f"{name}/{report_file.NAME}")
    releases = state.read(f"{name}/{history.NAME}")
    try:
        facts = sections.Facts(
            manifests.parse(state.read(f"{name}/{manifests.NAME}") or b""),
            report_file.parse(report) if report else None,
            history.parse(releases) if releases else (),
            f"{name}/",
            state.repository.name,
        )
        card.render([facts])
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(
            f"{state.repository.name} holds a dataset {name!r} whose manifest.json cannot be read",
            hint="publish that one again first, or take it away",
        ) from None
    return facts


def _release(
    state: _State, folder: Path, manifest: manifests.Manifest, tag: str
) -> tuple[history.Release | None, list[history.Release]]:
    name = manifest.dataset
    path = f"{name}/{history.NAME}"
    try:
        earlier = history.parse(state.read(path) or b"[]")
    except ValueError:
        raise InputError(
            f"{state.repository.name} holds a {path} that cannot be read",
            hint="take it away there, then publish again",
        ) from None
    releases = [release for release in earlier if release.tag != tag]
    if not tag:
        return None, releases
    tags = state.repository.tags() if releases else {}
    since = next((release.tag for release in reversed(releases) if release.tag in tags), None)
    changes: dict[str, history.Change] = {}
    if since is not None:
        before = comparison.revision(state.repository, tags[since], name, since)
        difference = comparison.between(before, comparison.folder(folder))
        every = {
            scenario: history.Change(added=0, removed=0, changed=0)
            for scenario in manifest.scenarios
        }
        changes = dict(sorted({**every, **difference.scenarios}.items()))
    release = history.Release(
        tag=tag,
        date=(manifest.last_answer or "")[:10],
        rows=manifest.rows,
        content=manifest.content,
        since=since,
        changes=changes,
    )
    return release, [*releases, release]


def _published(state: _State, dataset: str) -> manifests.Manifest | None:
    """The manifest that stands in the repository; None where there is none that can be read."""
    with suppress(ValueError):
        return manifests.parse(state.read(f"{dataset}/{manifests.NAME}") or b"")
    return None


def _refuse_moves(state: _State, folder: Path, dataset: str) -> None:
    """Raises InputError where rows would change sides: what was trained on would be tested on."""
    before = comparison.revision(state.repository, state.commit, dataset)
    if moves := comparison.moved(before, comparison.folder(folder)):
        raise InputError(
            f"{counted(moves, 'row')} of {dataset} would change sides: what {state.repository.name} "
            "holds was dealt into its splits by an earlier rule",
            hint="say --resplit to publish them so; models trained on the old sides know the new ones",
        )


def _holds(entry: remote.Entry | None, content: Content) -> bool:
    if entry is None or entry.size != _size(content):
        return False
    if entry.sha256 and isinstance(content, Path):
        return entry.sha256 == files.digest(content)
    data = content.read_bytes() if isinstance(content, Path) else content
    if entry.sha256:
        return entry.sha256 == hashlib.sha256(data).hexdigest()
    return entry.git == remote.git_id(data)


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
