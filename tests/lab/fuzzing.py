"""Fuzz the readers of everything from outside. With atheris, inputs are guided by the code that they reach."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lab import archives, locks, records, texts
from lab.part import Part, Result
from lab.scratch import scratch_for_child

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from lab.part import Attempts

CORPUS = Path(__file__).parents[2] / "build" / "lab"  # what atheris found is where the next run begins
LONGEST = 20_000  # bytes of an input
SLOW = 60  # seconds for one input


class Target(NamedTuple):
    """A reader, and one that is independent of it."""

    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes], str]  # returns what is wrong; "": nothing. Raises what is not handled
    short: int  # inputs in `make test`


TARGETS = {
    "wheels": Target(archives.wheels, archives.check_wheel, 3000),
    "sdists": Target(archives.tars, archives.check_sdist, 400),
    "html pages": Target(texts.html_pages, texts.check_html, 1000),
    "json pages": Target(texts.json_pages, texts.check_json, 3000),
    "lists": Target(texts.lists, texts.check_list, 3000),
    "locks": Target(locks.locks, locks.check_lock, 1000),
    "metadata": Target(texts.metadata_files, texts.check_metadata, 3000),
    "filenames": Target(texts.filenames, texts.check_filename, 5000),
    "requirements": Target(texts.requirements, texts.check_requirement, 3000),
    "manifests": Target(records.manifests, records.check_manifest, 3000),
    "intents": Target(records.intents, records.check_intent, 3000),
    "caches": Target(records.databases, records.check_cache, 200),
}


def judge(check: Callable[[bytes], str], data: bytes) -> str:
    """Return what is wrong with how an input is read; "" if nothing is."""
    try:
        return check(data)
    except Exception:
        return traceback.format_exc()


def mutate(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Change an input in a few places."""
    for _ in range(chance.choice([1, 1, 2, 4])):
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        other = chance.choice(others)
        start = chance.randrange(len(other) + 1)
        match chance.randrange(6):
            case 0 if data:  # flip a bit
                at = min(at, len(data) - 1)
                data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
            case 1:  # other bytes, or a number that is often special
                data = data[:at] + chance.choice([b"\0", b"\xff" * 4, b"\n", b"\t", chance.randbytes(3)]) + data[at:]
            case 2:  # remove
                data = data[:at] + data[min(end, at + 40) :]
            case 3:  # repeat
                data = data[:end] + data[at:end][:200] + data[end:]
            case 4:  # a part of another input
                data = data[:at] + other[start : start + chance.randrange(60)] + data[at:]
            case 5:  # cut off
                data = data[:end]
    return data[:LONGEST]


def attempts(target: Target, chance: random.Random) -> Attempts:
    """Read the seeds, and then changes of them."""
    seeds = target.seeds()
    for seed in seeds:
        yield outcome(target, seed)
    while True:
        yield outcome(target, mutate(chance.choice(seeds), chance, seeds))


def outcome(target: Target, data: bytes) -> Result:
    wrong = judge(target.check, data)
    return Result(1, (f"{wrong} for {data[:500]!r}",) if wrong else ())


def fuzz(name: str, seconds: float, seed: int) -> Result:
    """Let atheris choose the inputs, in a process of its own, which ends at the first violation."""
    corpus = CORPUS / name.replace(" ", "-")
    corpus.mkdir(parents=True, exist_ok=True)
    for data in TARGETS[name].seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:20]).write_bytes(data)
    options = {"max_total_time": max(1, round(seconds)), "seed": seed + 1, "max_len": LONGEST, "timeout": SLOW}
    flags = [f"-{option}={value}" for option, value in options.items()]
    flags += ["-print_final_stats=1", f"-artifact_prefix={corpus}/"]  # a violation is tried first by the next run
    command = [sys.executable, "-m", "lab.guided", name, *flags, str(corpus)]
    with scratch_for_child() as environment:
        process = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    counts = re.findall(r"number_of_executed_units: ([0-9]+)", process.stderr) or re.findall(
        r"#([0-9]+)", process.stderr
    )
    number = int(counts[-1]) if counts else 0
    wrong = process.stdout[-3000:] + process.stderr[-1000:]
    return Result(number, (wrong,) if process.returncode else ())


def parts() -> list[Part]:
    has_atheris = importlib.util.find_spec("atheris") is not None
    return [
        Part(
            name=name,
            what="inputs read as independent readers read them, or refused",
            attempts=partial(attempts, target),
            short=target.short,
            guided=partial(fuzz, name) if has_atheris else None,
        )
        for name, target in TARGETS.items()
    ]
