"""`--elsewhere`: the projects of an index that another index has, too."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from functools import partial

from mkindex.check.fetch import Fetcher
from mkindex.check.observations import Namesake
from mkindex.check.pages import read_page
from mkindex.simple.links import client_project_url
from mkindex.web.client import WebClient


def find_namesakes(index: str, projects: Iterable[str], web: WebClient, executor: Executor) -> Iterator[Namesake]:
    """Yield what another index answers for each of these projects, unless it does not have the project.

    Raises RequestFailed if it does not answer.
    """
    fetcher = Fetcher(root=web.take_credentials(index), web=web)
    for namesake in executor.map(partial(_ask, fetcher), projects):
        if namesake.files or namesake.problem:
            yield namesake


def _ask(fetcher: Fetcher, project: str) -> Namesake:
    reply = fetcher.get_page(client_project_url(fetcher.root, project))
    page = read_page(reply, "project", project=project)
    if page.is_usable:
        return Namesake(project=project, url=reply.url, files=len(page.entries))
    is_missing = reply.status in (404, 410)
    return Namesake(project=project, url=reply.url, problem="" if is_missing else reply.broken or str(reply.status))
