"""How to install from the index of a page, in the form that `mkindex client` prints."""

from collections.abc import Sequence

from mkindex.clients.configurations import CLIENTS, ServedIndex, configuration_text, index_name
from mkindex.site.views import Instructions

UNKNOWN = "https://index.invalid/"  # stands for the address of the page, which only a browser knows
_NAMES = {"uv": "uv", "pip": "pip", "poetry": "Poetry", "pdm": "PDM"}
_PRIVATE = "private"  # the name of an index whose address is unknown


def instructions(projects: Sequence[str], *, url: str, simple: str, is_complete: bool) -> list[Instructions]:
    """Return for each client how to install these projects.

    `url`: public address of the root of the tree, "" if unknown; `simple`: path of the index; `is_complete`: the
    index has everything that its files require.
    """
    root = url or UNKNOWN
    served = ServedIndex(url=f"{root}{simple}", projects=tuple(projects), is_selection=True)
    name = index_name(served) if url else _PRIVATE
    commands = {
        "uv": f"uv pip install --index {served.url} {projects[0]}",
        "pip": f"pip install --index-url {served.url} {projects[0]}" if is_complete else "",
    }
    return [
        Instructions(
            client,
            _NAMES[client],
            _parts(commands.get(client, ""), url),
            _parts(configuration_text(served, client, name).rstrip("\n"), url),
        )
        for client in CLIENTS
    ]


def _parts(text: str, url: str) -> tuple[str, ...]:
    if not text:
        return ()
    return (text,) if url else tuple(text.split(UNKNOWN))
