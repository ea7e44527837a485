"""How to install from the index of a page, in the form that `mkindex client` prints."""

from functools import lru_cache

from mkindex.clients.configurations import CLIENTS, configuration_text
from mkindex.clients.served import ServedIndex
from mkindex.site.views import Instructions

UNKNOWN = "https://index.invalid/"  # stands for the address of the tree, which only a browser may know
_NAMES = {"uv": "uv", "pip": "pip", "poetry": "Poetry", "pdm": "PDM"}
_PROJECT = "name-of-the-project"  # stands for it
_PRIVATE = "private"  # the name of an index whose address is unknown


def instructions(project: str, *, url: str, simple: str, is_complete: bool) -> list[Instructions]:
    """Return for each client how to install a project.

    `url`: public address of the root of the tree, "" if unknown; `simple`: path of the index; `is_complete`: the
    index has everything that the project requires.
    """
    return [
        Instructions(
            client,
            _NAMES[client],
            _parts(_command(client, url, simple, is_complete=is_complete), project, f"{url or UNKNOWN}{simple}"),
            _parts(_configuration(client, url, simple), project, f"{url or UNKNOWN}{simple}"),
        )
        for client in CLIENTS
    ]


def _command(client: str, url: str, simple: str, *, is_complete: bool) -> str:
    if client == "uv":
        return f"uv pip install --index {url or UNKNOWN}{simple} {_PROJECT}"
    return f"pip install --index-url {url or UNKNOWN}{simple} {_PROJECT}" if client == "pip" and is_complete else ""


@lru_cache  # every page of a project has them
def _configuration(client: str, url: str, simple: str) -> str:
    name = "" if url else _PRIVATE
    served = ServedIndex(url=f"{url or UNKNOWN}{simple}", projects=(_PROJECT,), is_selection=True, name=name)
    return configuration_text([served], client).rstrip("\n")


def _parts(text: str, project: str, address: str) -> tuple[str, ...]:
    """Return a text for a project in the parts between which the address of the index stands."""
    return tuple(text.replace(_PROJECT, project).split(address)) if text else ()
