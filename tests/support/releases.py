"""A server that speaks like the API of GitHub, with the releases that a test gives it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from support.scripted_server import Reply, file_route

if TYPE_CHECKING:
    from support.scripted_server import Request, ScriptedServer

UPLOADED = "2026-01-02T03:04:05Z"


@dataclass
class FakeGitHub:
    """Repositories of a server. `routes` of the server are written by `publish`.

    `api` and `home` are the addresses of its API and its files, if a proxy lets clients reach the server by others.
    """

    server: ScriptedServer
    per_part: int = 100
    api: str = ""
    home: str = ""
    files: dict[str, bytes] = field(default_factory=dict)  # by path
    releases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by repository
    private: frozenset[str] = frozenset()
    authorizations: set[str] = field(default_factory=set)  # that the API received

    def __post_init__(self) -> None:
        self.api = self.api or f"{self.server.url}api"
        self.home = self.home or self.server.url

    def add(self, repository: str, tag: str, files: dict[str, bytes], *, digests: bool = True, **more: Any) -> None:  # noqa: ANN401 (JSON)
        """Add a release with these files, the newest first."""
        assets = []
        for name, content in files.items():
            path = f"{repository}/releases/download/{tag}/{name}"
            self.files[path] = content
            number = len(self.files)
            asset = {
                "url": f"{self.api}/repos/{repository}/releases/assets/{number}",
                "id": number,
                "name": name,
                "state": "uploaded",
                "size": len(content),
                "digest": f"sha256:{hashlib.sha256(content).hexdigest()}" if digests else None,
                "created_at": UPLOADED,
                "updated_at": UPLOADED,
                "browser_download_url": f"{self.home}{quote(path)}",
            }
            assets.append(asset)
        release = {"tag_name": tag, "draft": False, "prerelease": False, "assets": assets, **more}
        self.releases.setdefault(repository, []).insert(0, release)

    def publish(self) -> None:
        """Let the server answer with what has been added."""
        routes, api = self.server.routes, urlsplit(self.api).path
        owners = sorted({repository.partition("/")[0] for repository in self.releases})
        for owner in owners:
            described = [self._description(one) for one in self.releases if one.startswith(f"{owner}/")]
            routes[f"{api}/orgs/{owner}/repos"] = lambda request, items=described: self._listing(request, items)  # type: ignore[misc]
        for repository, releases in self.releases.items():
            is_private = repository in self.private
            routes[f"{api}/repos/{repository}"] = lambda request, one=repository: self._json(  # type: ignore[misc]
                request, self._description(one)
            )
            routes[f"{api}/repos/{repository}/releases"] = lambda request, items=releases: self._listing(request, items)  # type: ignore[misc]
            for release in releases:
                for asset in release["assets"]:
                    download = urlsplit(asset["browser_download_url"]).path
                    route = file_route(
                        self.files[f"{repository}/releases/download/{release['tag_name']}/{asset['name']}"]
                    )
                    if not is_private:
                        routes[download] = route
                    routes[urlsplit(asset["url"]).path] = lambda request, asset=asset, route=route: (  # type: ignore[misc]
                        route(request)
                        if request.headers.get("accept") == "application/octet-stream" and self._has_token(request)
                        else self._json(request, asset)
                    )

    def _description(self, repository: str) -> dict[str, Any]:
        return {"full_name": repository, "private": repository in self.private}

    def _has_token(self, request: Request) -> bool:
        self.authorizations.add(request.headers.get("authorization", ""))
        return "authorization" in request.headers

    def _listing(self, request: Request, items: list[dict[str, Any]]) -> Reply:
        page = int(parse_qs(urlsplit(request.path).query).get("page", ["1"])[0])
        part = items[(page - 1) * self.per_part : page * self.per_part]
        reply = self._json(request, part)
        if len(items) <= page * self.per_part:
            return reply
        path = request.path.partition("?")[0].removeprefix(urlsplit(self.api).path)
        following = f"{self.api}{path}?per_page={self.per_part}&page={page + 1}"
        return reply.with_headers(link=f'<{following}>; rel="next", <{following}>; rel="last"')

    def _json(self, request: Request, value: object) -> Reply:
        self._has_token(request)
        body = json.dumps(value).encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(status=304, headers={"ETag": etag})
        return Reply(body, headers={"Content-Type": "application/json; charset=utf-8", "ETag": etag})
