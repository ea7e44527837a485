"""What does the site for people cost? `python -m benchmarks.site [PROJECTS]` (default: 5000), after `make clients`.

The wheels have the metadata and READMEs of real projects, each made different by a line. Compared are, in processor
time: what pkginfo and readme_renderer alone take for them in a process for each core, and what a cold build takes more
with --site than without it. Then a build without changes, and one with a new release.
"""

import argparse
import io
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from subprocess import DEVNULL, run

from benchmarks.corpus import OLD, tiny_wheel
from benchmarks.machine import cores

REAL = Path(__file__).resolve().parents[1] / ".clients/popular-wheels"
TAG = "py3-none-any"
LIMIT = 1.3


def real_metadata() -> list[bytes]:
    """Return the METADATA of the real wheels that have a README."""
    found = []
    for path in sorted(REAL.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            (name,) = (one for one in wheel.namelist() if one.endswith(".dist-info/METADATA"))
            raw = wheel.read(name)
        if len(raw) > 2000:
            found.append(raw)
    return found


def write_wheel(directory: str, number: int, version: str, raw: bytes) -> None:
    """Write a wheel whose metadata is that of a real project, under another name."""
    name = f"project_{number}"
    lines = raw.decode("utf-8", "replace").split("\n")
    changed = {"Name": name, "Version": version}
    for at, line in enumerate(lines[:10]):
        key = line.partition(":")[0]
        if key in changed:
            lines[at] = f"{key}: {changed[key]}"
    metadata = "\n".join(lines).rstrip() + f"\n\nThis is {name} {version}.\n"
    filename = f"{name}-{version}-{TAG}.whl"
    path = os.path.join(directory, filename)
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(tiny_wheel(name, version, TAG))) as old, zipfile.ZipFile(content, "w") as new:
        for member in old.infolist():
            is_metadata = member.filename.endswith("/METADATA")
            new.writestr(member.filename, metadata if is_metadata else old.read(member))
    Path(path).write_bytes(content.getvalue())
    os.utime(path, (OLD, OLD))


def alone(paths: list[str]) -> int:
    """Parse and render with the two libraries alone, as simply as possible."""
    import warnings

    import readme_renderer.markdown
    import readme_renderer.rst
    import readme_renderer.txt
    from pkginfo import Distribution

    warnings.simplefilter("ignore")
    total = 0
    for path in paths:
        with zipfile.ZipFile(path) as wheel:
            (name,) = (one for one in wheel.namelist() if one.endswith(".dist-info/METADATA"))
            found = Distribution()
            found.parse(wheel.read(name))
        text = str(found.description or "")
        is_markdown = "markdown" in (found.description_content_type or "")
        rendered = (readme_renderer.markdown if is_markdown else readme_renderer.rst).render(text)
        total += len(rendered or readme_renderer.txt.render(text) or "")
    return total


def on_all_cores(directory: str) -> None:
    """Run `alone` on parts of the wheels, in a process for each core."""
    paths = sorted(str(path) for path in Path(directory).glob("*.whl"))
    parts = [paths[start::64] for start in range(64)]
    with ProcessPoolExecutor(cores()) as pool:
        list(pool.map(alone, parts))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time of work in other processes, and how long it takes, in seconds."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.monotonic() - started


def results(
    root: str, projects: int, *, program: Sequence[str] = (sys.executable, "-m", "mkindex")
) -> Iterator[tuple[str, float, float]]:
    """Yield what was done, the processor time and the time."""
    wheels, public, cache = (os.path.join(root, name) for name in ("wheels", "public", "cache"))
    os.mkdir(wheels)
    metadata = real_metadata()
    for number in range(projects):
        write_wheel(wheels, number, "1.0", metadata[number % len(metadata)])

    def build(*options: str, to: str = public) -> Callable[[], object]:
        command = [*program, wheels, to, "-q", *options]
        return lambda: run(command, check=True, stdout=DEVNULL)

    yield "pkginfo and readme_renderer alone", *timed(lambda: on_all_cores(wheels))
    yield "cold build", *timed(build("--no-cache", to=f"{public}-plain"))
    yield "cold build with --site", *timed(build("--site", "--cache-dir", cache))
    yield "nothing changed", *timed(build("--cache-dir", f"{cache}-plain", to=f"{public}-plain"))
    yield "nothing changed, with --site", *timed(build("--site", "--cache-dir", cache))
    write_wheel(wheels, 0, "2.0", metadata[0])
    yield "one new release, with --site", *timed(build("--site", "--cache-dir", cache))


def main() -> None:
    """Print the times. The exit status is 1 if the site costs more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("projects", metavar="PROJECTS", type=int, nargs="?", default=5000)
    used = {}
    with tempfile.TemporaryDirectory(prefix="mkindex-") as root:
        for name, processor, seconds in results(root, parser.parse_args().projects):
            used[name] = processor
            print(f"{name:36}{processor:9.2f} s of processor time{seconds:9.2f} s", flush=True)
    cost = used["cold build with --site"] - used["cold build"]
    ratio = cost / used["pkginfo and readme_renderer alone"]
    print(f"the site costs {ratio:.2f} times what both libraries alone cost (limit: {LIMIT})")
    sys.exit(ratio > LIMIT)


if __name__ == "__main__":
    main()
