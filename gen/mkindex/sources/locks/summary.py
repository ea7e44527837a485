"""What a lock names and what is taken of it, in words."""

from collections.abc import Collection, Iterable

from mkindex.model.files import Link
from mkindex.sources.locks.choice import Choice
from mkindex.sources.locks.lock import Lock
from mkindex.text import format_size, plural


def summarize(lock: Lock, chosen: Collection[Link], choice: Choice) -> str:
    """Return how many packages, files and bytes a lock names, and for which environments how many are chosen."""
    packages = [one for one in lock.packages if one.name not in lock.projects]
    named = [link for package in packages for link in package.files]
    everything = f"{plural(len(packages), 'package')}, {_files(named)}" if named else plural(len(packages), "package")
    if len(chosen) == len(named) and not choice.targets:
        return everything
    where = f"for {describe_targets(choice)}" if choice.targets else "chosen"
    return f"{everything}; {where}: {_files(chosen)}"


def _files(links: Collection[Link]) -> str:
    sizes = [link.size for link in links if link.size is not None]
    count = plural(len(links), "file")
    if not sizes:
        return count
    return f"{count}, {'' if len(sizes) == len(links) else 'at least '}{format_size(sum(sizes))}"


def describe_targets(choice: Choice) -> str:
    """Return the environments in words: "CPython 3.12, 3.13 on linux, windows"."""
    return " and ".join(
        f"{implementation} {', '.join(pythons)} on {', '.join(platforms)}"
        for implementation, pythons, platforms in _grouped(choice)
    )


def _grouped(choice: Choice) -> Iterable[tuple[str, list[str], list[str]]]:
    by_implementation: dict[str, list[tuple[str, str]]] = {}
    for target in choice.targets:
        by_implementation.setdefault(target.implementation, []).append((target.python, target.platform))
    for implementation, pairs in by_implementation.items():
        yield implementation, list(dict.fromkeys(one for one, _ in pairs)), list(dict.fromkeys(one for _, one in pairs))
