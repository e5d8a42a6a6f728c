"""A repository on the loopback Hub, spoken to from this process: what it holds and what goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from builder.errors import BuilderError, HubError, InputError
from builder.hub import remote
from builder.hub.remote import Entry, Head, Remote
from tests.hub import TOKEN, Hub, asked_here

REPO = "acme/letters"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client's


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that the client of this process asks, and no other."""
    with asked_here(monkeypatch) as hub:
        yield hub


@pytest.fixture
def repository(hub: Hub) -> Iterator[Remote]:
    with remote.opened(REPO, TOKEN) as there:
        yield there


def test_a_repository_holds_what_was_committed(repository: Remote, hub: Hub) -> None:
    assert repository.head() is None
    repository.create(private=True)
    start = repository.head()
    assert start is not None
    assert start.private
    assert repository.entries(start.commit) == {}
    small, large = b"small\n", b"large" * 100
    first = repository.commit(
        {"a.md": small, "data/b.jsonl": large}, [], parent=start.commit, message="first"
    )
    assert repository.head() == Head(first, private=True)
    entries = repository.entries(first)
    assert entries["a.md"] == Entry(6, "", remote.git_id(small))
    assert (entries["data/b.jsonl"].size, len(entries["data/b.jsonl"].sha256)) == (500, 64)
    assert repository.read("a.md", first) == small
    with repository.file("data/b.jsonl", first) as path:
        assert path.read_bytes() == large
    assert not path.exists()
    second = repository.commit({}, ["a.md"], parent=first, message="second")
    assert list(repository.entries(second)) == ["data/b.jsonl"]
    repository.tag("v1", first)
    assert repository.tags() == {"v1": first}
    assert repository.head("v1") == Head(first, private=True)
    assert repository.url == f"{hub.url}/datasets/{REPO}"
    assert [commit.title for commit in hub.repos[REPO].commits][1:] == ["first", "second"]


def test_whoever_moved_the_branch_is_named(repository: Remote, hub: Hub) -> None:
    repository.create(private=False)
    head = repository.head()
    assert head is not None
    assert not head.private
    hub.move(hub.repos[REPO])
    with pytest.raises(HubError) as caught:
        repository.commit({"a.md": b"x"}, [], parent=head.commit, message="mine")
    assert caught.value.message.startswith(
        f"{REPO} moved while this was under way: rival committed 'Add my notes' at 2026-01-02 03:04"
    )


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (400, InputError, f"the Hub refuses {REPO}"),
        (401, InputError, "the Hub does not know the token in HF_TOKEN"),
        (403, InputError, f"the token in HF_TOKEN may not write to {REPO}"),
        (404, InputError, f"the Hub has no such repository or revision: {REPO}"),
        (422, InputError, f"the Hub refuses {REPO}"),
        (500, HubError, f"the Hub answered 500 for {REPO}"),
        (503, HubError, f"the Hub answered 503 for {REPO}"),
    ],
)
def test_an_answer_of_the_hub_is_one_line(
    repository: Remote, hub: Hub, status: int, kind: type[BuilderError], message: str
) -> None:
    repository.create(private=True)
    hub.down = status
    with pytest.raises(kind) as caught:
        repository.tag("v1", "main")
    assert caught.value.message.startswith(message)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_wrong_token_is_no_missing_repository(hub: Hub) -> None:
    with (
        remote.opened(REPO, "hf_wrong") as there,
        pytest.raises(InputError, match="does not know the token") as caught,
    ):
        there.head()
    assert "hf_wrong" not in str(caught.value)


def test_a_missing_file_and_a_name_that_the_hub_refuses_are_one_line(
    repository: Remote, hub: Hub
) -> None:
    repository.create(private=True)
    with pytest.raises(BuilderError):
        repository.read("no/such.json", "main")
    with (
        remote.opened("acme/two--dashes", TOKEN) as there,
        pytest.raises(InputError, match="two--dashes"),
    ):
        there.head()


def test_nobody_there_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with (
        remote.opened(REPO, TOKEN) as there,
        pytest.raises(HubError, match=f"cannot reach the Hub for {REPO}") as caught,
    ):
        there.tags()
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["letters", "a/b/c", "acme/", "acme/a b", "acme/" + "x" * 97, "a/b\n"]
)
def test_what_is_no_name_of_a_repository_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no name of a repository"), remote.opened(name, ""):
        pass


@pytest.mark.parametrize("token", ["hf_broken\nwrong", "hf_密", "hf a"])
def test_what_is_no_token_is_refused_and_not_repeated(token: str) -> None:
    with (
        pytest.raises(InputError, match="in no token") as caught,
        remote.opened(REPO, token),
    ):
        pass
    assert token not in str(caught.value)


def test_the_client_is_as_it_was_afterwards() -> None:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled

    log = logging.getLogger("huggingface_hub")
    before = (log.level, are_progress_bars_disabled())
    with remote.opened(REPO, "") as there:
        assert log.level == logging.CRITICAL
        assert are_progress_bars_disabled()
        assert there.folder.is_dir()
        assert "hf_" not in repr(there)
    assert (log.level, are_progress_bars_disabled()) == before
    assert not there.folder.exists()


def test_a_small_file_has_the_id_that_git_gives_it() -> None:
    assert remote.git_id(b"what is up, doc?") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"


@pytest.mark.parametrize(("name", "expected"), [("v1.2", True), ("a/b+c-d", True), ("v 1", False), (".x", False), ("", False), ("x" * 129, False)])  # fmt: skip
def test_names_of_releases_are_those_that_git_takes(name: str, *, expected: bool) -> None:
    assert bool(remote.REVISION.match(name)) is expected
