"""Tags in words, and which Python each wheel runs on."""

from __future__ import annotations

import pytest

from mkindex.site.tags import Python, read_tags

WORDS = {
    "cp312-cp312-manylinux_2_28_x86_64": "CPython 3.12, Linux x86-64, glibc ≥ 2.28",
    "cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64": "CPython 3.12, Linux arm64, glibc ≥ 2.17",
    "cp312-cp312-manylinux1_i686.manylinux_2_24_i686": "CPython 3.12, Linux x86, glibc ≥ 2.5",
    "cp312-cp312-musllinux_1_2_armv7l": "CPython 3.12, Linux armv7l, musl ≥ 1.2",
    "cp38-abi3-macosx_10_9_universal2": "CPython ≥ 3.8, macOS ≥ 10.9, arm64, macOS ≥ 10.9, x86-64",
    "cp313-cp313t-win_amd64": "CPython 3.13t, Windows x86-64",
    "cp313-cp313-win_arm64": "CPython 3.13, Windows arm64",
    "pp310-pypy310_pp73-linux_s390x": "PyPy 3.10, Linux s390x",
    "graalpy311-graalpy240_311_native-win32": "GraalPy 3.11, Windows x86",
    "py2.py3-none-any": "Python 2, Python 3",
    "py310-none-macosx_11_0_arm64": "Python ≥ 3.10, macOS ≥ 11, arm64",
    "cp313-cp313-ios_13_0_arm64_iphonesimulator": "CPython 3.13, iOS simulator ≥ 13, arm64",
    "cp313-cp313-android_21_arm64_v8a": "CPython 3.13, Android ≥ API 21, arm64",
    "cp312-cp312-pyodide_2024_0_wasm32": "CPython 3.12, pyodide_2024_0_wasm32",
    "xy9-none-any": "xy9",
}


@pytest.mark.parametrize("tags", WORDS)
def test_tags_in_words(tags: str) -> None:
    found = read_tags(tags)
    words = [*map(str, found.pythons), *(platform.words for platform in found.platforms), *found.others]
    assert ", ".join(words) == WORDS[tags]


@pytest.mark.parametrize(
    ("tags", "runs_on"),
    [
        ("py3-none-any", ["cp39", "cp312", "cp313t", "pp310"]),
        ("py310-none-any", ["cp312", "cp313t", "pp310"]),
        ("cp310-abi3-win32", ["cp312"]),
        ("cp312-cp312-win32", ["cp312"]),
        ("cp313-cp313t-win32", ["cp313t"]),
        ("pp310-pypy310_pp73-win32", ["pp310"]),
        ("py2-none-any", []),
    ],
)
def test_which_pythons_a_wheel_runs_on(tags: str, runs_on: list[str]) -> None:
    pythons = {
        "cp39": Python("CPython", (3, 9), later=False),
        "cp312": Python("CPython", (3, 12), later=False),
        "cp313t": Python("CPython", (3, 13), later=False, threads="t"),
        "pp310": Python("PyPy", (3, 10), later=False),
    }
    wheel = read_tags(tags)
    assert [name for name, one in pythons.items() if any(own.runs_on(one) for own in wheel.pythons)] == runs_on
