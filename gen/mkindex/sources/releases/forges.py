"""Where the releases of a repository are listed: the APIs of GitHub and GitLab, and of those that speak like GitHub."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import quote

from mkindex.errors import SourceError
from mkindex.sources.releases.documents import BadDocument, Release, load_all, read_releases
from mkindex.text import redact
from mkindex.web.api import get_document
from mkindex.web.client import WebClient
from mkindex.web.credentials import origin
from mkindex.web.responses import RequestFailed

_MAX_PARTS = 1000  # of a listing
_PER_PART = 100  # the most that the APIs of GitHub and GitLab send; others send fewer, and say where the rest is


class Forge(NamedTuple):
    """A kind of server, and the environment variables that its own CI sets."""

    scheme: str
    address: str  # of its API
    address_variable: str
    token_variable: str


GITHUB = Forge("github", "https://api.github.com", "GITHUB_API_URL", "GITHUB_TOKEN")
GITLAB = Forge("gitlab", "https://gitlab.com/api/v4", "CI_API_V4_URL", "GITLAB_TOKEN")
FORGES = {forge.scheme: forge for forge in (GITHUB, GITLAB)}


class Repository(NamedTuple):
    """One repository."""

    path: str  # with its owner or group
    is_private: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """The API of one server. Its methods raise SourceError."""

    forge: Forge
    url: str  # without a slash at the end
    web: WebClient
    token: str = ""

    def repositories(self, owner: str, name: str) -> list[Repository]:
        """Return the repositories of an owner or a group whose name matches a pattern, sorted by name."""
        with self._source_errors():
            if not _is_pattern(name):
                return [self._repository(f"{owner}/{name}")]
            listed = map(self._named, self._repositories_of(owner))
            found = {one.path: one for one in listed if fnmatchcase(one.path.rpartition("/")[2].lower(), name.lower())}
            return [found[path] for path in sorted(found)]

    def releases(self, repository: Repository) -> list[Release]:
        """Return all releases of a repository, as its server lists them."""
        with self._source_errors():
            return list(read_releases(list(self._items(f"{self._address(repository.path)}/releases"))))

    def _repository(self, path: str) -> Repository:
        url = self._address(path)
        try:
            items = load_all(get_document(url, self.web).text)
        except RequestFailed as error:
            if error.status != 404:
                raise
            advice = "" if self.token else f". A private repository needs {self.forge.token_variable}"
            raise SourceError(f"{redact(url)}: there is no repository {path}. Check the name{advice}") from error
        return self._named(items[0])._replace(path=path)

    def _repositories_of(self, owner: str) -> Iterator[Any]:
        if self.forge is GITLAB:
            group = self._authorized(f"{self.url}/groups/{quote(owner, safe='')}")
            yield from self._items(f"{group}/projects", "&include_subgroups=true")
            return
        try:
            yield from self._items(f"{self._authorized(f'{self.url}/orgs/{quote(owner)}')}/repos")
        except RequestFailed as error:
            if error.status != 404:
                raise
            # A person, not an organization.
            yield from self._items(f"{self._authorized(f'{self.url}/users/{quote(owner)}')}/repos")

    def _items(self, url: str, query: str = "") -> Iterator[Any]:
        """Yield the items of a listing. Raises RequestFailed, BadDocument and SourceError."""
        url = f"{url}?per_page={_PER_PART}{query}"
        for _ in range(_MAX_PARTS):
            document = get_document(url, self.web)
            yield from load_all(document.text)
            if not document.next:
                return
            url = document.next
        raise SourceError(f"{redact(url)}: the listing has more than {_MAX_PARTS:,} parts")

    def _address(self, path: str) -> str:
        """Return the address of a repository."""
        if self.forge is GITLAB:
            return self._authorized(f"{self.url}/projects/{quote(path, safe='')}")
        self._authorized(f"{self.url}/repositories")  # where GitHub has the other parts of a listing
        return self._authorized(f"{self.url}/repos/{quote(path)}")

    def _authorized(self, url: str) -> str:
        """Return an address to which the token is sent, and to those below it.

        It is not sent to the whole server: on some, whoever makes a release decides where its links lead.
        """
        if self.token:
            self.web.use_token(url, self.token, self.forge.token_variable)
        return url

    def _named(self, item: Any) -> Repository:  # noqa: ANN401 (JSON)
        """Return what the API says about a repository that the user named. Raises BadDocument."""
        repository = _read_repository(item)
        if self.forge is GITLAB and isinstance(item.get("id"), int):
            self._authorized(f"{self.url}/projects/{item['id']}")  # as its own links name it
        return repository

    @contextmanager
    def _source_errors(self) -> Iterator[None]:
        """Raise SourceError instead of the errors of requests and documents."""
        try:
            yield
        except BadDocument as error:
            raise SourceError(f"{redact(self.url)}: a response {error}") from error
        except RequestFailed as error:
            is_limited = error.status == 429 and not self.token
            advice = f". Set {self.forge.token_variable}, which allows more, or try again then" if is_limited else ""
            raise SourceError(f"{error}{advice}") from error


def open_api(forge: Forge, api_url: str | None, web: WebClient) -> Api:
    """Return the API of a server, with the token of the environment if it is for that server.

    A configuration that was found in a directory may name another server, which must not get the token.
    """
    usual = os.environ.get(forge.address_variable) or forge.address
    url = web.take_credentials(api_url or usual).rstrip("/")
    is_usual = origin(url) in (origin(usual), origin(forge.address))
    return Api(forge=forge, url=url, web=web, token=os.environ.get(forge.token_variable, "") if is_usual else "")


def _is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")


def _read_repository(item: Any) -> Repository:  # noqa: ANN401 (JSON)
    """Return what an API says about a repository. Raises BadDocument."""
    entry = item if isinstance(item, dict) else {}
    path = entry.get("full_name", entry.get("path_with_namespace"))
    if not isinstance(path, str):
        raise BadDocument("is JSON, but does not describe a repository")
    is_private = entry.get("private") is True or entry.get("visibility") in ("private", "internal")
    return Repository(path, is_private)
