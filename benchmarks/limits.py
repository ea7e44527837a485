"""The limits: minimal programs that do only the unavoidable work, to show what hardware and interpreter allow.

walk SOURCE DEST LISTING   walk and stat SOURCE, and stat every path of DEST that LISTING lists
hash JOBS SOURCE           sha256 of every file, by OpenSSL
link JOBS SOURCE DEST      the same, and a hard link to every file at files/<aa>/<rest>/<name>
copy JOBS SOURCE DEST      read each file once, to hash it and to write the copy
cp JOBS SOURCE DEST        copy with cp, then hash
read JOBS TREE             read and hash every file and page of a tree
members JOBS TREE          the same, and read and hash every member of every wheel, in processes
list DEST                  print the published paths of a tree (not a limit: it creates LISTING)
"""

from __future__ import annotations

# Only what a limit uses is imported: argparse alone costs as much as walking 5,000 files.
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 20


def walk(source: str, dest: str, listing: str) -> None:
    """Do what every run must do, even if nothing has changed."""
    with os.scandir(source) as entries:
        for entry in entries:
            entry.stat()
    with open(listing) as paths:
        os.chdir(dest)
        for path in paths.read().splitlines():
            os.stat(path)


def listed(tree: str) -> Iterator[str]:
    """Yield the path of every file in a tree, without those in .mkindex."""
    os.chdir(tree)
    for directory, names, files in os.walk("."):
        if ".mkindex" in names:
            names.remove(".mkindex")
        for file in files:
            yield f"{directory}/{file}\n".removeprefix("./")


def for_each(paths: list[str], work: Callable[[str], object], jobs: int) -> None:
    """Do the work on every file, in threads if `jobs` is more than 1."""
    if jobs == 1:
        for path in paths:
            work(path)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(jobs) as threads:
        for _ in threads.map(work, paths):
            pass


def files_in(directory: str) -> list[str]:
    """Return the paths of the files in a directory."""
    return [entry.path for entry in os.scandir(directory)]


def members(path: str) -> None:
    """Hash a file, and every member of a wheel."""
    from hashlib import sha256
    from zipfile import ZipFile

    digest(path)
    if path.endswith(".whl"):
        with ZipFile(path) as wheel:
            for name in wheel.namelist():
                sha256(wheel.read(name)).digest()


def in_processes(paths: list[str], work: Callable[[str], object], jobs: int) -> None:
    """Do the work on every file, in a process for each job."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(jobs) as processes:
        for _ in processes.map(work, paths, chunksize=50):
            pass


def digest(path: str) -> str:
    """Return the sha256 of a file."""
    from hashlib import file_digest

    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def link(path: str, dest: str) -> None:
    """Hash a file, and hard-link it to the path made from the hash."""
    sha256 = digest(path)
    directory = f"{dest}/files/{sha256[:2]}/{sha256[2:]}"
    os.makedirs(directory)
    os.link(path, f"{directory}/{os.path.basename(path)}")


def copy(path: str, dest: str) -> None:
    """Copy a file, and hash it while it is copied."""
    from hashlib import sha256

    state, buffer = sha256(), memoryview(bytearray(CHUNK))
    with open(path, "rb", 0) as source, open(f"{dest}/{os.path.basename(path)}", "xb", 0) as target:
        while size := source.readinto(buffer):
            state.update(buffer[:size])
            target.write(buffer[:size])


def main(arguments: list[str]) -> None:
    """Run one limit."""
    match arguments:
        case ["walk", source, dest, listing]:
            walk(source, dest, listing)
        case ["list", tree]:
            sys.stdout.writelines(listed(tree))
        case ["hash", jobs, source]:
            for_each(files_in(source), digest, int(jobs))
        case ["link", jobs, source, dest]:
            for_each(files_in(source), lambda path: link(path, dest), int(jobs))
        case ["copy", jobs, source, dest]:
            os.makedirs(dest)
            for_each(files_in(source), lambda path: copy(path, dest), int(jobs))
        case ["cp", jobs, source, dest]:
            from subprocess import run

            run(["cp", "-r", source, dest], check=True)
            for_each(files_in(source), digest, int(jobs))
        case ["read", jobs, tree]:
            for_each([path.strip() for path in listed(tree)], digest, int(jobs))
        case ["members", jobs, tree]:
            in_processes([path.strip() for path in listed(tree)], members, int(jobs))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
