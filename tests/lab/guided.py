"""Fuzz one target with atheris until it finds a violation: `python -m lab.guided TARGET [OPTION OF LIBFUZZER...]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["mkindex"]):  # which code an input reaches is counted there
    from lab.fuzzing import TARGETS


def main() -> None:
    check = TARGETS[sys.argv.pop(1)].check

    def run(data: bytes) -> None:
        if wrong := check(data):
            raise AssertionError(wrong)

    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
