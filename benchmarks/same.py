"""Run two versions of mkindex with the same inputs, and compare what they publish and report.

Published trees are compared byte for byte, also after the sources changed. So are manifests, except for inodes, times
and the checksum; keys of pages depend on the version and its templates, so only which keys are equal is compared. JSON
reports are compared except for seconds and prose. Then NEW builds over what OLD published, and must not touch it.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from benchmarks import corpus
from benchmarks.machine import cores
from benchmarks.report import table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # which has wheels, defects and a server
from support.index_copy import Form, Place, build_good_index, copy_index  # noqa: E402
from support.index_server import serve_index  # noqa: E402
from support.mutations import MUTATIONS, Mutation  # noqa: E402
from support.wheels import write_sdist, write_wheel  # noqa: E402
from test_junk import BAD, COMPANIONS, HIDDEN  # noqa: E402

PROSE = {"text", "reason", "reasons", "clients", "mend", "impact", "fix", "host", "closure", "seconds"}  # keys of JSON
URLS = ("--files-url", "https://example.com/packages")
PUBLIC, OWN = "public", ".mkindex"
Versions = Sequence[list[str]]
Differences = list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Sources, options, and how the sources change before the second build."""

    name: str
    sources: tuple[str, ...]
    options: tuple[str, ...] = ()
    change: Callable[[], object] | None = None


def corpora(root: Path, stack: ExitStack) -> Iterator[Corpus]:
    """Make each corpus when it is asked for."""
    examples, junk, many = root / "examples", root / "junk", root / "many"
    shutil.copytree(ROOT / "examples" / "wheels", examples)
    options = {
        "": [],
        "links.html": ["--links", "--upload-time", "none", "--link-mode", "hardlink"],
        "at the root, files elsewhere": ["--simple-path", ".", *URLS, "--files-have-metadata"],
        "netlify": ["--for", "netlify", "--json-root", "json", "--links"],
        "github-pages": ["--for", "github-pages", "--grace", "0"],
        "selected": ["--include", "demo*", "--exclude", "*.tar.gz", "--simple-path", "a/b"],
        "nothing selected": ["--include", "absent"],
        "dry run": ["--dry-run"],
        "unknown option": ["--absent"],
    }
    for name, some in options.items():
        yield Corpus(name=f"examples {name}".strip(), sources=(str(examples),), options=(*some,))
    yield Corpus(name="no source", sources=(str(root / "absent"),))
    for some in ([], ["--links", "--grace", "0"], ["--strict"]):
        shutil.rmtree(junk, ignore_errors=True)
        write_junk(junk)
        yield Corpus(name=" ".join(["junk", *some]), sources=(str(junk),), options=(*some,), change=replacing(junk))
    many.mkdir()
    corpus.make_tiny(corpus.many(5_000), str(many))
    yield Corpus(name="5,000 wheels", sources=(str(many),), change=replacing(many))
    corpus.make_list(5_000, str(root))
    listing = str(root / "list.jsonl")
    yield Corpus(name="a list of 5,000 links", sources=(listing,), options=URLS, change=cutting(listing))
    site = root / "site"
    shutil.copytree(examples, site)
    names = sorted(path.name for path in examples.iterdir())
    (site / "page.html").write_text("<!DOCTYPE html>\n" + "".join(f'<a href="{name}">{name}</a>\n' for name in names))
    page = f"{stack.enter_context(serve_index(site)).url}page.html"
    for mode in ("reference", "mirror"):
        yield Corpus(name=f"a page, {mode}", sources=(page,), options=("--remote", mode))
    yield Corpus(name="a page and a directory", sources=(page, str(examples)), options=("--prefer", "first"))


def write_junk(directory: Path) -> None:
    """Write a few good files, companions of theirs, and everything that a directory must not hold."""
    directory.mkdir()
    write_wheel(directory, "a", "1.0")
    write_sdist(directory, "a", "1.0")
    write_wheel(directory, "b", "2.0")
    files = dict.fromkeys(COMPANIONS + HIDDEN, b"x") | {name: content for name, (content, _) in BAD.items()}
    for name, content in files.items():
        (directory / name).write_bytes(content)


def replacing(directory: Path) -> Callable[[], object]:
    """Return what removes a wheel, gives one other bytes, and adds one."""

    def change() -> None:
        min(directory.glob("*.whl")).unlink()
        write_wheel(directory, "b", "2.0", mtime=corpus.OLD, summary="other bytes")
        write_wheel(directory, "added", "1.0", mtime=corpus.OLD)

    return change


def cutting(listing: str) -> Callable[[], object]:
    """Return what removes the first lines of a list."""
    lines = Path(listing).read_text().splitlines(keepends=True)
    return lambda: Path(listing).write_text("".join(lines[100:]))


def both(commands: Sequence[list[str]], places: Sequence[Path]) -> list[tuple[int, object]]:
    """Run a command of each version at the same time; return exit statuses and JSON reports."""
    pairs = zip(commands, places, strict=True)
    processes = [
        Popen(command, cwd=place, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, text=True) for command, place in pairs
    ]
    texts = [process.communicate()[0] for process in processes]
    outputs = [text.replace(str(place), "<place>") for text, place in zip(texts, places, strict=True)]
    return [
        (process.returncode, without_prose(json.loads(output)) if output.startswith("{") else None)
        for process, output in zip(processes, outputs, strict=True)
    ]


def without_prose(report: object) -> object:
    """Return a JSON report with nothing in it that may be worded in another way."""
    if isinstance(report, dict):
        return {key: None if key in PROSE else without_prose(value) for key, value in report.items()}
    return [without_prose(value) for value in report] if isinstance(report, list) else report


def content(place: Path, aside: Sequence[str]) -> dict[str, bytes]:
    """Return the files of a published tree."""
    paths = (path for path in (place / PUBLIC).rglob("*") if path.is_file())
    found = {str(path.relative_to(place / PUBLIC)): path for path in paths}
    chosen = {name: path for name, path in found.items() if not any(fnmatchcase(name, glob) for glob in aside)}
    return {name: path.read_bytes() for name, path in chosen.items() if not name.startswith(f"{OWN}/")}


def manifest(place: Path, aside: Sequence[str]) -> list[list[str]]:
    """Return what a manifest says, without what is never the same twice."""
    path = place / PUBLIC / OWN / "manifest"
    lines: list[list[str]] = []
    keys: dict[str, int] = {}
    for line in path.read_text().splitlines()[:-1] if path.exists() else ():
        fields = line.split("\t")
        if len(fields) == 6 and line[0].isdigit():
            if any(fnmatchcase(fields[1], glob) for glob in aside):
                continue
            if fields[2] not in ("", "="):
                fields[2] = str(keys.setdefault(fields[2], len(keys)))
            fields[4], fields[5] = fields[4].split(" ")[1], "retired" if fields[5] else ""
        lines.append(fields)
    return lines


def identities(place: Path, aside: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return inode and time of every published file."""
    status = {name: os.stat(place / PUBLIC / name) for name in content(place, aside)}
    return {name: (one.st_ino, one.st_mtime_ns) for name, one in status.items()}


def compare(one: Corpus, versions: Versions, root: Path, aside: Sequence[str]) -> Iterator[tuple[str, Differences]]:
    """Yield what was compared, and what of it is different."""
    places = [root / "old", root / "new"]
    for place in places:
        place.mkdir()
    arguments = ["--json", "--cache-dir", "cache", *one.options, *one.sources, PUBLIC]
    for step in ("first build", "second build") if one.change else ("first build",):
        if step == "second build" and one.change:
            one.change()
        runs = both([[*version, *arguments] for version in versions], places)
        yield step, differences(places, runs, aside)
        checks = both([[*version, "check", "--json", "--no-cache", PUBLIC] for version in versions], places)
        yield f"check after the {step}", [] if checks[0] == checks[1] else ["report"]
    before = identities(places[0], aside)
    (_, report), *_ = both([[*versions[1], *arguments]], places[:1])
    after = identities(places[0], aside)
    wrong = [f"touched {name}" for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    if isinstance(report, dict) and report["written"] and not aside:
        wrong.append(f"{report['written']} written")
    yield "new over old", wrong
    for place in places:
        shutil.rmtree(place)


def differences(places: Sequence[Path], runs: Sequence[tuple[int, object]], aside: Sequence[str]) -> Differences:
    """Name what is different after a build."""
    old, new = (content(place, aside) for place in places)
    wrong = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if manifest(places[0], aside) != manifest(places[1], aside):
        wrong.append("manifest")
    if runs[0][0] != runs[1][0]:
        wrong.append(f"exit status {runs[0][0]} and {runs[1][0]}")
    return wrong if runs[0][1] == runs[1][1] else [*wrong, "report"]


def defects(versions: Versions, root: Path) -> tuple[int, Differences]:
    """Check every defect of the tests with both versions; return how many, and those that are reported otherwise."""
    good = build_good_index(root / "defects")
    cases = [(one, form, place) for one in MUTATIONS for form in one.forms for place in one.places]

    def differs(case: tuple[Mutation, Form, Place]) -> bool:
        mutation, form, place = case
        options = ["--json", "--no-cache", *(["--files", mutation.files] if mutation.files else [])]
        options += ["--closure"] if mutation.options.get("closure") else []
        options += [f"--ignore={rule}" for rule in mutation.options.get("ignore", ())]
        with tempfile.TemporaryDirectory(dir=root) as directory, ExitStack() as stack:
            copy = copy_index(good, Path(directory), form, manifest="manifest" in mutation.options)
            if place == "served":
                copy.host = stack.enter_context(serve_index(copy.tree))
            mutation.apply(copy)
            path = copy.tree if copy.address == "simple/" else copy.tree / copy.address
            target = f"{copy.host.url}{copy.address}" if copy.host else str(path)
            old, new = both([[*version, "check", *options, target] for version in versions], [root, root])
        return old != new

    with ThreadPoolExecutor(2 * cores()) as threads:  # a check waits before it asks a server in trouble again
        different = list(threads.map(differs, cases))
    wrong = [
        f"{one} ({form}, {place})" for (one, form, place), is_wrong in zip(cases, different, strict=True) if is_wrong
    ]
    return len(cases), wrong


def same(versions: Versions, root: Path, aside: Sequence[str]) -> bool:
    """Compare everything, and print a table."""
    root.mkdir()
    rows: list[list[str]] = []

    def add(name: str, compared: str, wrong: Differences) -> None:
        verdict = f"different ({len(wrong)}): {', '.join(wrong[:3])}" if wrong else "same"
        rows.append([name, compared, verdict])
        print(f"{name}, {compared}: {verdict}", file=sys.stderr)

    with ExitStack() as stack:
        for one in corpora(root, stack):
            for compared, wrong in compare(one, versions, root, aside):
                add(one.name, compared, wrong)
    number, wrong = defects(versions, root)
    add(f"{number} defects", "check", wrong)
    print(table(["corpus", "compared", ""], rows), end="\n\n", flush=True)
    return all(verdict == "same" for *_, verdict in rows)
