"""Make wheels for benchmarks, the same every time: `python -m benchmarks.corpus many 5000 DIR`.

many N            N tiny wheels, twenty per project
one-project N     N tiny wheels of one project
projects N        N tiny wheels, one per project
huge COUNT SIZE   COUNT wheels of SIZE (256M, 1G), with incompressible content
list N            no wheels, but a list of N wheels in the format of dumb-pypi
"""

import argparse
import base64
import hashlib
import io
import json
import os
import random
import zipfile
from collections.abc import Iterable, Iterator

WORDS = [
    start + end
    for start in ("ar", "bin", "cal", "dor", "el", "fin", "gra", "hol", "in", "kern", "lo", "mat")
    for end in ("chive", "dex", "ent", "form", "gon", "hash", "line", "ory", "path", "ric", "tor", "ware")
]
TAGS = ("py3-none-any", "cp311-cp311-linux_x86_64", "cp312-cp312-linux_x86_64", "cp313-cp313-linux_x86_64")
PER_PROJECT = 20
BLOCK = 1 << 24
OLD = 1_577_836_800  # 2020-01-01, so that no tool takes a file of the corpus for one that has just changed
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

Name = tuple[str, str, str]  # project, version, tag


def many(count: int) -> Iterator[Name]:
    """Yield twenty releases of each project."""
    for i in range(count):
        yield project(i // PER_PROJECT), f"{i % PER_PROJECT // 4}.{i % PER_PROJECT % 4}.0", TAGS[0]


def one_project(count: int) -> Iterator[Name]:
    """Yield the files of one project, four per release, like builds for several Pythons."""
    for i in range(count):
        yield project(0), f"1.{i // len(TAGS)}", TAGS[i % len(TAGS)]


def projects(count: int) -> Iterator[Name]:
    """Yield one file for each project."""
    for i in range(count):
        yield project(i), "1.0", TAGS[0]


SHAPES = {"many": many, "one-project": one_project, "projects": projects}


def project(number: int) -> str:
    """Return the name of a project."""
    return f"{WORDS[number % len(WORDS)]}_{WORDS[number // len(WORDS) % len(WORDS)]}_{number}"


def metadata(name: str, version: str, rng: random.Random) -> str:
    """Return core metadata of the usual length: about twenty headers and a README of some kilobytes."""
    headers = [
        "Metadata-Version: 2.4",
        f"Name: {name.replace('_', '-')}",
        f"Version: {version}",
        f"Summary: {' '.join(rng.choices(WORDS, k=6)).capitalize()}",
        f"Author-email: {rng.choice(WORDS)}@example.com",
        "License-Expression: MIT",
        f"Keywords: {','.join(rng.choices(WORDS, k=5))}",
        *(f"Classifier: Programming Language :: Python :: 3.{minor}" for minor in range(9, 14)),
        f"Requires-Python: >=3.{rng.randrange(8, 12)}",
        *(f"Requires-Dist: {rng.choice(WORDS)}>={rng.randrange(9)}.{rng.randrange(20)}" for _ in range(4)),
        "Description-Content-Type: text/markdown",
    ]
    readme = rng.choices(WORDS, k=rng.randrange(150, 600))
    lines = (" ".join(readme[i : i + 12]) for i in range(0, len(readme), 12))
    return "\n".join([*headers, "", f"# {name}", "", *lines, ""])


def tiny_wheel(name: str, version: str, tag: str) -> bytes:
    """Return a valid wheel with five members, of 2 to 5 kB."""
    rng = random.Random(f"{name} {version} {tag}")
    info = f"{name}-{version}.dist-info"
    code = "\n".join(f"{word.upper()} = {rng.random()}" for word in rng.choices(WORDS, k=40))
    members = {
        f"{name}/__init__.py": f'"""{name}."""\n',
        f"{name}/core.py": code,
        f"{info}/METADATA": metadata(name, version, rng),
        f"{info}/WHEEL": wheel_metadata(tag),
    }
    records = [record(member, hashlib.sha256(text.encode()), len(text)) for member, text in members.items()]
    members[f"{info}/RECORD"] = "".join([*records, f"{info}/RECORD,,\n"])
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member), text, zipfile.ZIP_DEFLATED)
    return wheel.getvalue()


def wheel_metadata(tag: str) -> str:
    """Return the content of WHEEL."""
    return f"Wheel-Version: 1.0\nGenerator: corpus\nRoot-Is-Purelib: {str('none-any' in tag).lower()}\nTag: {tag}\n"


def record(member: str, digest: "hashlib._Hash", size: int) -> str:
    """Return the line of one member in RECORD."""
    return f"{member},sha256={base64.urlsafe_b64encode(digest.digest()).rstrip(b'=').decode()},{size}\n"


def make_tiny(names: Iterable[Name], directory: str) -> None:
    """Write one tiny wheel for each name."""
    for name, version, tag in names:
        path = f"{directory}/{name}-{version}-{tag}.whl"
        with open(path, "wb") as file:
            file.write(tiny_wheel(name, version, tag))
        os.utime(path, (OLD, OLD))


def make_huge(count: int, size: int, directory: str, *, per_project: int = 1) -> None:
    """Write `count` wheels, each with one stored member of `size` pseudo-random bytes."""
    for number in range(count):
        name, version, tag = project(number // per_project), f"1.{number % per_project}", TAGS[1]
        info, weights = f"{name}-{version}.dist-info", f"{name}/weights.bin"
        rng = random.Random(number)
        block = rng.randbytes(min(size, BLOCK))
        digest = hashlib.sha256()
        path = f"{directory}/{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            with archive.open(zipfile.ZipInfo(weights), "w", force_zip64=True) as member:
                for start in range(0, size, BLOCK):
                    # Each block begins with its position, so that no two are the same or shared on the disk.
                    chunk = (start.to_bytes(8, "big") + block)[: min(size - start, BLOCK)]
                    member.write(chunk)
                    digest.update(chunk)
            archive.writestr(zipfile.ZipInfo(f"{info}/METADATA"), metadata(name, version, rng))
            archive.writestr(zipfile.ZipInfo(f"{info}/WHEEL"), wheel_metadata(tag))
            lines = record(weights, digest, size), f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
            archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join(lines))
        os.utime(path, (OLD, OLD))


def make_list(count: int, directory: str) -> None:
    """Write a package list in the format of dumb-pypi, with 20,000 projects and as many releases as necessary."""
    rng = random.Random(count)
    with open(f"{directory}/list.jsonl", "w") as lines:
        for number in range(count):
            name, version = project(number % 20_000), f"1.{number // 20_000}.{rng.randrange(9)}"
            line = {
                "filename": f"{name}-{version}-{rng.choice(TAGS)}.whl",
                "hash": f"sha256={rng.randbytes(32).hex()}",
                "requires_python": ">=3.9",
                "requires_dist": ["click>=8", "numpy"],
                "upload_timestamp": 1_700_000_000 + number,
                "uploaded_by": "benchmark",
            }
            lines.write(f"{json.dumps(line)}\n")


def file_digest(path: str) -> str:
    """Return the sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_size(text: str) -> int:
    """Parse 300, 20K, 256M or 1G."""
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


def main() -> None:
    """Make the corpus that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    shapes = parser.add_subparsers(dest="shape", required=True)
    for shape in (*SHAPES, "list"):
        command = shapes.add_parser(shape)
        command.add_argument("count", type=int)
        command.add_argument("directory")
    command = shapes.add_parser("huge")
    command.add_argument("count", type=int)
    command.add_argument("size", type=parse_size)
    command.add_argument("directory")
    options = parser.parse_args()
    os.makedirs(options.directory, exist_ok=True)
    if options.shape == "huge":
        make_huge(options.count, options.size, options.directory)
    elif options.shape == "list":
        make_list(options.count, options.directory)
    else:
        make_tiny(SHAPES[options.shape](options.count), options.directory)


if __name__ == "__main__":
    main()
