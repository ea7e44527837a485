"""The peers that mirror an index over HTTP, which `python -m benchmarks.wire --peers` compares with mkindex."""

import os
from typing import NamedTuple
from urllib.request import urlopen

from benchmarks import peers

from mkindex.simple.reader import parse_html


class Mirror(NamedTuple):
    """How a peer mirrors an index."""

    name: str
    command: list[str]
    files: int  # that it gets


def mirrors(url: str, place: str, *, wheels: int) -> list[Mirror]:
    """Return those that are installed, for an index of so many wheels. They write to `place`/got."""
    found = []
    if os.path.exists(program := peers.program("simple-repository-generator")):
        command = [program, url, "--copy", "--force", "-o", f"{place}/got"]
        found.append(Mirror("simple-repository-generator", command, wheels))
    if os.path.exists(program := f"{os.path.dirname(peers.program('python-pypi-mirror'))}/pypi-mirror"):
        found.append(_newest_by_pip(program, url, place))
    return found


def _newest_by_pip(program: str, url: str, place: str) -> Mirror:
    """Return how python-pypi-mirror gets the newest release of each project; pip gets no more of them at once."""
    with urlopen(url) as response:
        names = [project.name for project in parse_html(response.read().decode(), url).projects]
    with open(f"{place}/names", "w") as requirements:
        requirements.write("\n".join(names))
    wheels, pip = f"{place}/got/wheels", f"{os.path.dirname(program)}/pip"
    tags = "--python-version 3.11 --platform linux_x86_64"
    download = f"PIP_NO_DEPS=1 {program} download -b -p {pip} {tags} -i {url} -d {wheels} -r {place}/names"
    create = f"{program} create --copy -d {wheels} -m {place}/got/tree"
    return Mirror("python-pypi-mirror", ["sh", "-c", f"{download} && {create}"], len(names))
