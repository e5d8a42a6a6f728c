"""A loopback Hub: dataset repositories as the client speaks to them, and the trouble it may meet.

It keeps commits whole, large files by their SHA-256, and counts what was sent. Only what
`huggingface_hub` and `datasets` really call is answered; anything else is a 404 and is noted.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

TOKEN = "hf_secretsecretsecretsecretsecretsecret"
USER = "acme"
WHO = web.RequestKey("who", str)
DATE = "2026-01-02T03:04:05.000Z"
LARGE = (".parquet", ".jsonl", ".csv")
"""What .gitattributes of a dataset repository sends to large-file storage, more or less."""


@dataclass
class File:
    """A file of a commit."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git(self) -> str:
        content = self.content
        if self.large:
            content = f"version lfs\noid sha256:{self.sha256}\nsize {len(content)}\n".encode()
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": "file", "path": path, "oid": self.git, "size": len(self.content),
        }  # fmt: skip
        if self.large:
            found["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": 130}
        return found


@dataclass
class Commit:
    """One commit with all its files."""

    files: dict[str, File]
    title: str
    author: str
    parent: str = ""

    @property
    def id(self) -> str:
        state = json.dumps(
            [self.parent, self.title, {p: f.git for p, f in sorted(self.files.items())}]
        )
        return hashlib.sha1(state.encode()).hexdigest()


@dataclass
class Repo:
    """A dataset repository."""

    private: bool
    commits: list[Commit] = field(default_factory=lambda: [Commit({}, "initial commit", "system")])
    tags: dict[str, str] = field(default_factory=dict)

    def at(self, revision: str) -> Commit | None:
        revision = self.tags.get(revision, revision)
        if revision == "main":
            return self.commits[-1]
        return next((one for one in self.commits if one.id == revision), None)


class Hub:
    """Use as a context manager; `url` is its address."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.sent = 0
        """Bytes of large files that arrived whole."""
        self.small = 0
        """Bytes of commits, small files and all."""
        self.commits = 0
        self.unknown: list[str] = []
        self.cut = 0
        """Uploads that are cut in the middle."""
        self.hold = -1
        """Uploads that go through before the next ones hang; below 0, all of them."""
        self.down: int = 0
        """A status that every request is answered with."""
        self.before_commit: Callable[[Repo], None] | None = None
        self.url = ""

    def __enter__(self) -> Hub:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def environ(self, home: str) -> dict[str, str]:
        """What a process needs to speak to this Hub and to no other."""
        return {
            "HF_ENDPOINT": self.url, "HF_TOKEN": TOKEN, "HF_HOME": home,
            "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip

    def move(self, repo: Repo) -> None:
        """Somebody else commits."""
        last = repo.commits[-1]
        files = {**last.files, "NOTES.md": File(b"mine", large=False)}
        repo.commits.append(Commit(files, "Add my notes", "rival", last.id))

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._app())
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=2**30, middlewares=[self._guard])
        api, files = "/api/datasets/{owner}/{name}", "/datasets/{owner}/{name}"
        app.add_routes([
            web.get("/", self._stats),
            web.post("/api/repos/create", self._create),
            web.post("/api/validate-yaml", self._validate),
            web.get(api, self._info),
            web.get(api + "/revision/{rev}", self._info),
            web.get(api + "/tree/{rev}", self._tree),
            web.get(api + "/tree/{rev}/{path:.+}", self._tree),
            web.post(api + "/paths-info/{rev}", self._paths),
            web.get(api + "/refs", self._refs),
            web.get(api + "/commits/{rev}", self._log),
            web.post(api + "/preupload/{rev}", self._preupload),
            web.post(api + "/commit/{rev}", self._commit),
            web.post(api + "/tag/{rev}", self._tag),
            web.post(files + ".git/info/lfs/objects/batch", self._batch),
            web.put("/large/{oid}", self._put),
            web.get(files + "/resolve/{rev}/{path:.+}", self._resolve),
        ])  # fmt: skip
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.down:
            return web.Response(status=self.down, text="<html>down</html>")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token != TOKEN:
            return refusal(401, "Invalid credentials in Authorization header", token)
        request[WHO] = USER if token else ""
        try:
            return await handler(request)  # type: ignore[no-any-return]
        except web.HTTPNotFound:
            self.unknown.append(f"{request.method} {request.path}")
            raise

    def _repo(self, request: web.Request) -> Repo | web.Response:
        name = "{owner}/{name}".format(**request.match_info)
        repo = self.repos.get(name)
        if repo is None or (repo.private and not request[WHO]):
            status = 404 if request[WHO] else 401
            return refusal(status, "Repository not found", code="RepoNotFound")
        return repo

    def _at(self, request: web.Request) -> tuple[Repo, Commit] | web.Response:
        repo = self._repo(request)
        if isinstance(repo, web.Response):
            return repo
        commit = repo.at(request.match_info.get("rev", "main"))
        if commit is None:
            return refusal(404, "Invalid rev id", code="RevisionNotFound")
        return repo, commit

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response({"sent": self.sent + self.small, "commits": self.commits})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name = f"{asked['organization'] or USER}/{asked['name']}"
        if asked["organization"] not in (None, USER):
            return refusal(
                403, "You don't have the rights to create a dataset under this namespace"
            )
        if "--" in asked["name"] or ".." in asked["name"]:
            return refusal(400, "Invalid repo name: cannot have -- or ..")
        if name in self.repos:
            return refusal(409, "You already created this dataset repo")
        self.repos[name] = Repo(asked.get("visibility") == "private")
        return web.json_response({"url": f"{self.url}/datasets/{name}"})

    async def _validate(self, request: web.Request) -> web.Response:
        import yaml

        content = (await request.json())["content"]
        try:
            found = yaml.safe_load(content.split("---\n")[1])
        except (yaml.YAMLError, IndexError) as error:
            return web.json_response({"errors": [{"message": str(error)}]}, status=400)
        if found.get("license") == "my-own":
            message = '"license" must be one of [apache-2.0, mit, ...]'
            return web.json_response({"errors": [{"message": message}]}, status=400)
        return web.json_response({"errors": [], "warnings": []})

    async def _info(self, request: web.Request) -> web.Response:
        found = self._at(request)
        if isinstance(found, web.Response):
            return found
        repo, commit = found
        name = "{owner}/{name}".format(**request.match_info)
        return web.json_response({
            "_id": "1", "id": name, "author": USER, "sha": commit.id, "private": repo.private,
            "gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
            "lastModified": DATE, "createdAt": DATE,
            "siblings": [{"rfilename": path} for path in sorted(commit.files)],
        })  # fmt: skip

    async def _tree(self, request: web.Request) -> web.Response:
        found = self._at(request)
        if isinstance(found, web.Response):
            return found
        prefix = request.match_info.get("path", "")
        prefix = f"{prefix}/" if prefix else ""
        inside = {p: f for p, f in sorted(found[1].files.items()) if p.startswith(prefix)}
        if prefix and not inside:
            return refusal(404, "No such folder", code="EntryNotFound")
        entries: list[dict[str, Any]] = []
        folders = set()
        recursive = request.query.get("recursive", "false").lower() == "true"
        for path, file in inside.items():
            parts = path.removeprefix(prefix).split("/")
            for depth in range(1, len(parts)):
                folders.add(prefix + "/".join(parts[:depth]))
            if recursive or len(parts) == 1:
                entries.append(file.entry(path))
        shown = folders if recursive else {f for f in folders if "/" not in f.removeprefix(prefix)}
        entries += [
            {"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in sorted(shown)
        ]
        return web.json_response(entries)

    async def _paths(self, request: web.Request) -> web.Response:
        found = self._at(request)
        if isinstance(found, web.Response):
            return found
        form = await request.post() if request.content_type != "application/json" else None
        paths = form.getall("paths", []) if form is not None else (await request.json())["paths"]
        files = found[1].files
        entries = [files[path].entry(path) for path in paths if path in files]
        for path in map(str, paths):
            if any(name.startswith(f"{path}/") for name in files):
                entries.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
        return web.json_response(entries)

    async def _refs(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        if isinstance(repo, web.Response):
            return repo
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commits[-1].id}
        tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit}
                for name, commit in repo.tags.items()]  # fmt: skip
        return web.json_response({"branches": [main], "converts": [], "tags": tags})

    async def _log(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        if isinstance(repo, web.Response):
            return repo
        return web.json_response([
            {"id": one.id, "title": one.title, "message": "", "date": DATE,
             "authors": [{"user": one.author}]}
            for one in reversed(repo.commits)
        ])  # fmt: skip

    async def _preupload(self, request: web.Request) -> web.Response:
        found = self._at(request)
        if isinstance(found, web.Response):
            return found
        files = []
        for one in (await request.json())["files"]:
            large = one["path"].endswith(LARGE)
            held = found[1].files.get(one["path"])
            files.append({
                "path": one["path"], "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": False, "oid": (held.sha256 if large else held.git) if held else None,
            })  # fmt: skip
        return web.json_response({"files": files})

    async def _batch(self, request: web.Request) -> web.Response:
        asked = await request.json()
        objects = []
        for one in asked["objects"]:
            if one["oid"] not in self.large:
                one["actions"] = {"upload": {"href": f"{self.url}/large/{one['oid']}"}}
            objects.append(one)
        return web.json_response({"transfer": "basic", "objects": objects})

    async def _put(self, request: web.Request) -> web.Response:
        if self.cut:
            self.cut -= 1
            await request.content.readany()
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        if self.hold == 0:
            while self.hold == 0:
                await asyncio.sleep(0.02)
            return web.Response(status=500)
        self.hold -= self.hold > 0
        content = await request.read()
        oid = request.match_info["oid"]
        assert hashlib.sha256(content).hexdigest() == oid
        self.large[oid] = content
        self.sent += len(content)
        return web.Response()

    async def _commit(self, request: web.Request) -> web.Response:
        found = self._repo(request)
        if isinstance(found, web.Response):
            return found
        if not request[WHO]:
            return refusal(401, "Invalid username or password.")
        if self.before_commit is not None:
            hook, self.before_commit = self.before_commit, None
            hook(found)
        body = await request.read()
        self.small += len(body)
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        last = found.commits[-1]
        if header.get("parentCommit", last.id) != last.id:
            return refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(last.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]), large=False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.large:
                    return refusal(
                        400, f"LFS pointer pointed to a file that does not exist: {value['oid']}"
                    )
                files[value["path"]] = File(self.large[value["oid"]], large=True)
            else:
                assert line["key"] == "deletedFile"
                del files[value["path"]]
        found.commits.append(Commit(files, header["summary"], request[WHO], last.id))
        self.commits += 1
        commit = found.commits[-1].id
        return web.json_response(
            {"success": True, "commitOid": commit, "commitUrl": f"{self.url}/c/{commit}"}
        )

    async def _tag(self, request: web.Request) -> web.Response:
        found = self._at(request)
        if isinstance(found, web.Response):
            return found
        name = (await request.json())["tag"]
        if name in found[0].tags:
            return refusal(409, "Tag reference exists already")
        found[0].tags[name] = found[1].id
        return web.json_response({})

    async def _resolve(self, request: web.Request) -> web.Response:
        found = self._at(request)
        if isinstance(found, web.Response):
            return found
        commit = found[1]
        file = commit.files.get(request.match_info["path"])
        if file is None:
            return refusal(404, "Entry not found", code="EntryNotFound")
        headers = {
            "X-Repo-Commit": commit.id, "Accept-Ranges": "bytes",
            "ETag": f'"{file.sha256 if file.large else file.git}"',
        }  # fmt: skip
        content, status = file.content, 200
        if request.headers.get("Range"):
            window = request.http_range
            content, status = file.content[window], 206
            start = window.start or 0
            headers["Content-Range"] = (
                f"bytes {start}-{start + len(content) - 1}/{len(file.content)}"
            )
        if request.method == "HEAD":
            return web.Response(
                status=status, headers={**headers, "Content-Length": str(len(content))}
            )
        return web.Response(body=content, status=status, headers=headers)


def refusal(status: int, message: str, more: str = "", code: str = "") -> web.Response:
    """An error as the Hub words it; `more` is echoed, as servers do."""
    headers = {"X-Error-Message": message}
    if code:
        headers["X-Error-Code"] = code
    return web.json_response({"error": f"{message} {more}".strip()}, status=status, headers=headers)


if __name__ == "__main__":
    with Hub() as hub:
        print(hub.url, flush=True)
        threading.Event().wait()


@contextmanager
def asked_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that the client of this process asks, and no other."""
    from huggingface_hub import constants

    with Hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        path = "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + path)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub
