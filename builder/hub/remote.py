"""One dataset repository on the Hub: what it holds, and the one commit that changes it.

The token comes from the caller, who has it from the environment, and appears in no message.
Every wait has a limit; all that the client raises is one line here, once.
"""

import hashlib
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder import text
from builder.errors import BuilderError, HubError, InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

BRANCH = "main"
REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}\Z", re.ASCII)
# What a header can carry; the client would quote anything else in its complaint.
TOKEN = re.compile(r"[!-~]*\Z")
REVISION = re.compile(r"[\w][\w.+/-]{0,127}\Z", re.ASCII)
# Limits of a wait on the network; a large commit is answered late.
SECONDS = {"connect": 20.0, "read": 300.0, "write": 60.0, "pool": 60.0}
AGAIN = "nothing was published; run again: what was uploaded is not sent twice"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a repository."""

    size: int
    sha256: str = ""  # of a large file's content; empty for a small one
    git: str = ""  # the id that git gives the content of a small file


@dataclass(frozen=True, slots=True)
class Head:
    """Where a repository stands."""

    commit: str
    private: bool


@dataclass(slots=True)
class Remote:
    """A dataset repository, spoken to inside `opened`."""

    name: str
    token: str = field(repr=False)
    folder: Path = field(repr=False)  # where downloads go; it is gone at the end
    looked_at: bool = True  # whether the Hub is asked; else it is as if there were no repository

    @property
    def url(self) -> str:
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/datasets/{self.name}"

    def head(self, revision: str | None = None) -> Head | None:
        """Where it stands, or stood; None where there is no such repository for this token."""
        from huggingface_hub.errors import RepositoryNotFoundError

        if not self.looked_at:
            return None
        with self._wrap_errors():
            try:
                info = self._api().dataset_info(self.name, revision=revision, timeout=60)
            except RepositoryNotFoundError as error:
                if error.response.status_code == 401:
                    raise
                return None
        return Head(str(info.sha), bool(info.private))

    def entries(self, revision: str) -> dict[str, Entry]:
        """The files of a revision by path."""
        from huggingface_hub.hf_api import RepoFile

        with self._wrap_errors():
            return {
                file.path: Entry(file.size, file.lfs.sha256 if file.lfs else "", file.blob_id)
                for file in self._api().list_repo_tree(
                    self.name, repo_type="dataset", revision=revision, recursive=True
                )
                if isinstance(file, RepoFile)
            }

    def tags(self) -> dict[str, str]:
        with self._wrap_errors():
            refs = self._api().list_repo_refs(self.name, repo_type="dataset")
        return {tag.name: tag.target_commit for tag in refs.tags}

    @contextmanager
    def file(self, path: str, revision: str) -> Iterator[Path]:
        """A file of a revision on this disk, for as long as it is looked at."""
        from huggingface_hub import hf_hub_download

        with self._wrap_errors():
            file = Path(
                hf_hub_download(
                    self.name, path, repo_type="dataset", revision=revision,
                    local_dir=self.folder / revision, token=self.token or False,
                )
            )  # fmt: skip
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    def read(self, path: str, revision: str) -> bytes:
        with self.file(path, revision) as file:
            return file.read_bytes()

    def create(self, *, private: bool) -> None:
        with self._wrap_errors():
            self._api().create_repo(self.name, repo_type="dataset", private=private, exist_ok=True)

    def commit(
        self,
        changed: Mapping[str, Path | bytes],
        deleted: Sequence[str],
        *,
        parent: str,
        message: str,
    ) -> str:
        """The commit that puts these files there and takes those away, all or none of it.

        Large files that an earlier, interrupted attempt brought over are not sent again. Raises
        HubError where the branch moved away from `parent` meanwhile.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete
        from huggingface_hub.errors import HfHubHTTPError

        operations: list[Any] = [
            *(CommitOperationAdd(path, content) for path, content in changed.items()),
            *(CommitOperationDelete(path, is_folder=False) for path in deleted),
        ]
        with self._wrap_errors():
            try:
                commit = self._api().create_commit(
                    self.name, operations, commit_message=message, repo_type="dataset",
                    revision=BRANCH, parent_commit=parent,
                )  # fmt: skip
            except HfHubHTTPError as error:
                if error.response.status_code in (409, 412):
                    raise self._moved(parent) from None
                raise
        return str(commit.oid)

    def tag(self, name: str, commit: str) -> None:
        with self._wrap_errors():
            self._api().create_tag(self.name, tag=name, revision=commit, repo_type="dataset")

    def _moved(self, parent: str) -> HubError:
        commits = self._api().list_repo_commits(self.name, repo_type="dataset", revision=BRANCH)
        last = commits[0] if commits else None
        by = ""
        if last is not None and last.commit_id != parent:
            title = " ".join(text.plain(last.title).split())[:80]
            who = ", ".join(text.plain(author) for author in last.authors) or "somebody"
            by = f": {who} committed {title!r} at {last.created_at:%Y-%m-%d %H:%M} UTC"
        return HubError(
            f"{self.name} moved while this was under way{by}; nothing was published",
            hint="look at what was changed, then publish again: what was uploaded is not sent twice",
        )

    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi

        return HfApi(token=self.token or False)

    @contextmanager
    def _wrap_errors(self) -> Iterator[None]:
        """Whatever the client raises as one line, without the token."""
        import httpx2
        from huggingface_hub import errors

        try:
            yield
        except BuilderError:
            raise
        except (httpx2.HTTPError, errors.HFValidationError, ConnectionError, OSError,
                RuntimeError, ValueError, errors.EntryNotFoundError) as error:  # fmt: skip
            raise _wrapped(self.name, self.token, error) from None


@contextmanager
def opened(name: str, token: str) -> Iterator[Remote]:
    """A repository to speak to: limits set, bars and warnings of the client off."""
    import httpx2
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory, hf_request_event_hook
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if not REPOSITORY.match(name):
        raise InputError(
            f"{name[:120]!r} is no name of a repository", hint="write owner/name, e.g. acme/support-messages"
        )  # fmt: skip
    if not TOKEN.match(token):
        raise InputError(
            "HF_TOKEN holds characters that are in no token", hint="copy it again: hf_ and letters"
        )

    def client() -> httpx2.Client:
        return httpx2.Client(
            event_hooks={"request": [hf_request_event_hook]},
            follow_redirects=True,
            timeout=httpx2.Timeout(**SECONDS),
        )

    log, bars = logging.getLogger("huggingface_hub"), are_progress_bars_disabled()
    level = log.level
    log.setLevel(logging.CRITICAL)
    disable_progress_bars()
    set_client_factory(client)
    try:
        with tempfile.TemporaryDirectory(prefix="builder-") as folder:
            yield Remote(name, token, Path(folder))
    finally:
        set_client_factory(default_client_factory)
        log.setLevel(level)
        if not bars:
            enable_progress_bars()


def git_id(content: bytes) -> str:
    """The id that git gives this content."""
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _wrapped(name: str, token: str, error: BaseException) -> BuilderError:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if isinstance(error, RuntimeError) and error.__cause__ is not None:
        return _wrapped(name, token, error.__cause__)
    why = _line(str(error) or type(error).__name__, token)
    if isinstance(error, OfflineModeIsEnabled):
        return InputError("HF_HUB_OFFLINE is set, so the Hub is not asked", hint="unset it")
    if isinstance(error, HFValidationError):
        return InputError(f"the Hub takes no such name: {why}")
    if isinstance(error, HfHubHTTPError):
        return _refused(name, token, error)
    if isinstance(error, ValueError) and "metadata in README.md" in str(error):
        return InputError(
            f"the Hub refuses the card: {why}",
            hint="license, languages and tasks stand under [tool.builder.datasets.…]",
        )
    return HubError(
        f"cannot reach the Hub for {name}: {why}",
        hint=AGAIN,
    )


def _refused(name: str, token: str, error: "HfHubHTTPError") -> BuilderError:
    status = error.response.status_code
    message = _line(error.server_message or "", token)
    why = f" ({message})" if message else ""
    mistakes = {
        401: (
            f"the Hub does not know the token in HF_TOKEN{why}",
            "HF_TOKEN holds a token with the right to write, from https://huggingface.co/settings/tokens",
        ),
        403: (
            f"the token in HF_TOKEN may not write to {name}{why}",
            "give it the right to write there, or publish under a name of your own",
        ),
        404: (f"the Hub has no such repository or revision: {name}{why}", ""),
        400: (f"the Hub refuses {name}{why}", ""),
        422: (f"the Hub refuses {name}{why}", ""),
    }
    if status in mistakes:
        message, hint = mistakes[status]
        return InputError(message, hint=hint)
    return HubError(f"the Hub answered {status} for {name}{why}", hint=AGAIN)


def _line(content: str, token: str) -> str:
    """A text on one line, without the token."""
    return " ".join(text.plain(content).split()).replace(token or "\0", "…")[:300]
