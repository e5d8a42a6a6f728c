"""Publishing: a dataset's folder onto the Hub, in one commit that changes only what differs.

A repository holds each dataset in a folder of its own, as a config of one card: data/, plots/,
manifest.json, report.json of the gates, and releases.json with what changed from one tag to
the next. Nothing is written before all was looked at, and everything then at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.dataset import card, manifests
from builder.dataset.part import Part, report_of
from builder.errors import GateError, HubError, InputError
from builder.hub import diff, remote
from builder.hub.remote import Entry, Remote
from builder.quality import report_file
from builder.quality.findings import Finding

RELEASE = {"tag", "date", "rows", "changes"}
"""What releases.json says at least of each release."""
SHOWN = 5
"""Failed gates that are named in one line."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What publishing would change."""

    repository: str
    dataset: str
    private: bool
    rows: int
    size: int
    """Bytes of the whole dataset's data."""
    parent: str | None
    """The commit that is to be there still; None for a repository that is to be made."""
    changed: Mapping[str, Path | bytes]
    deleted: Sequence[str]
    sent: int
    """Bytes of what changed."""
    data: int
    """Data files among what changed."""
    kept: int
    """Data files that stay as they are."""
    tag: str = ""
    tagged: bool = False
    """Whether the tag is there already."""
    release: Mapping[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

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
    made: bool
    """Whether there is a new commit."""
    tagged: bool


def hold(name: str, found: Iterable[Finding]) -> None:
    """GateError where a gate fails: it holds the dataset back."""
    failed = [_failed(one) for one in found if one.verdict == "fail"]
    if failed:
        more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        raise GateError(
            f"{len(failed)} gate{'s' * (len(failed) > 1)} of {name} failed: "
            f"{'; '.join(failed[:SHOWN])}{more}",
            hint="nothing was published; report.html shows more",
        )


def _failed(one: Finding) -> str:
    what = f" of {one.what}" if one.what else ""
    limit = "" if one.limit is None else f", limit {one.limit:.4g}"
    advice = f": {one.advice}" if one.advice else ""
    return f"{one.gate}{what} is {one.value:.4g}{limit}{advice}"


def look(repository: Remote, folder: Path, *, public: bool = False, tag: str = "") -> Publication:
    """What publishing this folder would change. Nothing is changed.

    Raises InputError where the repository is more public than was said, or the tag is taken.
    """
    manifest = _shown(json.loads((folder / manifests.NAME).read_text("utf-8")))
    if tag and not remote.REVISION.match(tag):
        raise InputError(f"{tag!r} is no name of a release", hint="e.g. v1.2")
    head = repository.head()
    notes: list[str] = []
    if head is not None and not head.private and not public:
        raise InputError(
            f"{repository.name} is public, and nobody said --public",
            hint="say --public, or publish elsewhere",
        )
    if head is not None and head.private and public:
        notes.append(
            f"{repository.name} is private and stays so; its settings on the Hub change that"
        )
    commit = head.commit if head else ""
    entries = repository.entries(commit) if head else {}
    release, releases = _released(repository, folder, manifest, commit, entries, tag)
    files = _files(repository, folder, manifest, commit, entries, releases)
    changed = {
        path: content for path, content in files.items() if not _is(entries.get(path), content)
    }
    prefix = f"{manifest['dataset']}/"
    ours = (f"{prefix}data/", f"{prefix}plots/")
    deleted = sorted(path for path in entries if path.startswith(ours) and path not in files)
    data = [path for path in files if path.startswith(ours[0])]
    tags = repository.tags() if head and tag else {}
    if tag in tags and (changed or deleted):
        raise InputError(
            f"the release {tag} of {repository.name} is there already, with other content",
            hint="name another, e.g. the next number",
        )
    notes += _columns(repository, prefix, entries, commit, manifest)
    return Publication(
        repository=repository.name,
        dataset=manifest["dataset"],
        private=head.private if head else not public,
        rows=manifest["rows"],
        size=sum(_size(files[path]) for path in data),
        parent=commit or None,
        changed=changed,
        deleted=deleted,
        sent=sum(map(_size, changed.values())),
        data=sum(path in changed for path in data),
        kept=sum(path not in changed for path in data),
        tag=tag,
        tagged=tag in tags,
        release=release,
        notes=notes,
    )


def send(repository: Remote, planned: Publication) -> Published:
    """The publication, done: at most one commit, and the tag."""
    commit, made = planned.parent, not planned.empty
    if commit is None:
        repository.create(private=planned.private)
        head = repository.head()
        if head is None or head.private != planned.private:
            raise HubError(f"{planned.repository} was made by somebody else meanwhile")
        commit = head.commit
    if made:
        commit = repository.commit(
            planned.changed, planned.deleted, parent=commit, message=planned.message
        )
    tagged = bool(planned.tag) and not planned.tagged
    if tagged:
        repository.tag(planned.tag, commit)
    return Published(commit, repository.url, made, tagged)


def _shown(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest as it is published: rejects stay at home."""
    listed = {name: about for name, about in manifest["files"].items() if name.startswith("data/")}
    return {**manifest, "files": listed}


def _files(
    repository: Remote,
    folder: Path,
    manifest: dict[str, Any],
    head: str,
    entries: Mapping[str, Entry],
    releases: Sequence[Mapping[str, Any]],
) -> dict[str, Path | bytes]:
    """All that is to stand in the repository because of this dataset."""
    name = manifest["dataset"]
    part = Part(manifest, report_of(folder, manifest), releases, f"{name}/", repository.name)
    parts = {name: part}
    for other in diff.datasets_in(entries):
        if other != name:
            parts[other] = _other(repository, other, head, entries)
    found: dict[str, Path | bytes] = {f"{name}/{path}": folder / path for path in manifest["files"]}
    for path, content in card.files(part).items():
        found[f"{name}/{path}"] = content.encode()
    found[f"{name}/{manifests.NAME}"] = _json(manifest)
    if part.report is not None:
        found[f"{name}/report.json"] = (folder / "report.json").read_bytes()
    if releases:
        found[f"{name}/releases.json"] = _json(list(releases))
    found[card.NAME] = card.render([parts[key] for key in sorted(parts)]).encode()
    return found


def _other(repository: Remote, name: str, head: str, entries: Mapping[str, Entry]) -> Part:
    """Another dataset of the repository, for the card over all of them."""
    held = {
        part: repository.json(f"{name}/{part}.json", head)
        for part in ("manifest", "report", "releases")
        if f"{name}/{part}.json" in entries
    }
    part = Part(held["manifest"], report_file.parse(held.get("report")),
                held.get("releases") or (), f"{name}/", repository.name)  # fmt: skip
    try:
        card.render([part])
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(
            f"{repository.name} holds a dataset {name!r} whose manifest.json cannot be read",
            hint="publish that one again first, or take it away",
        ) from None
    return part


def _released(
    repository: Remote,
    folder: Path,
    manifest: Mapping[str, Any],
    head: str,
    entries: Mapping[str, Entry],
    tag: str,
) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    """The release that is being made, and all of them, oldest first."""
    name = manifest["dataset"]
    path = f"{name}/releases.json"
    held = repository.json(path, head) if path in entries else []
    if not isinstance(held, list) or not all(map(_told, held)):
        raise InputError(
            f"{repository.name} holds a {path} that cannot be read",
            hint="take it away there, then publish again",
        )
    releases = [one for one in held if one["tag"] != tag]
    if not tag:
        return None, releases
    changes: dict[str, dict[str, int]] = {}
    known = repository.tags() if releases else {}
    before = next((one["tag"] for one in reversed(releases) if one["tag"] in known), None)
    if before is not None:
        then = diff.revision(repository, known[before], name, before)
        found = diff.between(then, diff.folder(folder))
        every = {scenario: diff.Change() for scenario in manifest["scenarios"]} | found.scenarios
        changes = {scenario: change.as_dict() for scenario, change in sorted(every.items())}
    release = {
        "tag": tag,
        "date": str(manifest["last_answer"] or "")[:10],
        "rows": manifest["rows"],
        "content": manifest["content"],
        "since": before,
        "changes": changes,
    }
    return release, [*releases, release]


def _told(release: Any) -> bool:
    """Whether it is a release as they are written down here."""
    return isinstance(release, dict) and release.keys() >= RELEASE


def _columns(
    repository: Remote, prefix: str, entries: Mapping[str, Entry], head: str, manifest: Mapping[str, Any]
) -> list[str]:  # fmt: skip
    path = f"{prefix}{manifests.NAME}"
    held = repository.json(path, head) if path in entries else None
    if not isinstance(held, dict) or held.get("features") == manifest["features"]:
        return []
    return ["the columns changed, so every data file is written anew"]


def _is(entry: Entry | None, content: Path | bytes) -> bool:
    """Whether the repository holds just this already."""
    if entry is None or entry.size != _size(content):
        return False
    if entry.sha256:
        return entry.sha256 == manifests.digest_of(content)
    return entry.git == remote.git_id(
        content if isinstance(content, bytes) else content.read_bytes()
    )


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
