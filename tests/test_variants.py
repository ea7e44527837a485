"""Variants: which files belong to which, and the index that each has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from mkindex.errors import ConfigError, Note, NotPublished
from mkindex.model.files import Artifact, File, Fingerprint, Link
from mkindex.model.variants import Variants, mixed_labels
from support.builds import cold_build, publish
from support.command_line import Run
from support.index_values import FakeFiles
from support.policies import policy_from
from support.trees import html_entries, read_tree
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

CUDA = r"cu\d+|cpu|rocm[\d.]+|xpu"


# --- the variant of a file -------------------------------------------------------------------------------------------

LABELS = {
    ("1.0", CUDA): "",
    ("1.0+cu128", CUDA): "cu128",
    ("1.0+rocm6.4", CUDA): "rocm6.4",
    ("1.0+rocm6.4.torch2.8", CUDA): "rocm6.4",
    ("1.0+cu128.torch2.11", CUDA): "cu128",
    ("1.0+cu128torch", CUDA): "",
    ("1.0+local", CUDA): "",
    ("1.0+cu.12.8.torch.2.11", ""): "cu.12.8.torch.2.11",
    ("1.0+cu.12.8.torch.2.11", r"cu\.\d+\.\d+"): "cu.12.8",
    ("1.0+cu.12.8.torch.2.11", r"cu[\d.]+\.torch[\d.]+"): "cu.12.8.torch.2.11",
}


@pytest.mark.parametrize(("version", "pattern"), LABELS, ids=lambda value: str(value) or "any")
def test_the_variant_is_the_start_of_the_local_label(version: str, pattern: str) -> None:
    file = FakeFiles().file(f"demo-{version}-py3-none-any.whl")
    assert Variants(by="local", pattern=pattern).of(file) == LABELS[version, pattern]


def local(relative: str) -> File:
    file = FakeFiles().file(relative.rpartition("/")[2])
    return file._replace(artifact=Artifact("/cpu/wheels", relative, Fingerprint(0, 1, 0, 0)))


DIRECTORIES = {
    ("demo-1.0.tar.gz", ""): "",
    ("demo-1.0.tar.gz", CUDA): "",  # the directories above the source do not count
    ("cpu/demo-1.0.tar.gz", ""): "cpu",
    ("CPU/demo-1.0.tar.gz", CUDA): "cpu",
    ("cu128/cpu/nightly/demo-1.0.tar.gz", CUDA): "cpu",
    ("a b/demo-1.0.tar.gz", ""): "",
}


@pytest.mark.parametrize(("path", "pattern"), DIRECTORIES, ids=lambda value: str(value) or "any")
def test_the_variant_is_the_innermost_directory_that_the_pattern_matches(path: str, pattern: str) -> None:
    assert Variants(by="directory", pattern=pattern).of(local(path)) == DIRECTORIES[path, pattern]


def test_the_directory_of_a_link_is_that_of_its_address() -> None:
    link = Link(url="https://example.com/whl/cu128/x/demo-1.0.tar.gz", filename="demo-1.0.tar.gz")
    file = FakeFiles().file("demo-1.0.tar.gz")._replace(artifact=link)
    assert Variants(by="directory", pattern=CUDA).of(file) == "cu128"


@pytest.mark.parametrize(("name", "variant"), [("demo-cu12", "cu12"), ("cu12-demo", "cu12"), ("democu12", "")])
def test_the_variant_is_a_word_in_the_name_of_the_project(name: str, variant: str) -> None:
    assert Variants(by="project", pattern=r"cu\d+").of(FakeFiles().file(f"{name}-1.0.tar.gz")) == variant


# --- mixed variants --------------------------------------------------------------------------------------------------


SPELLED = [("2.0", "cpu"), ("2", "cu9"), ("1", "cpu"), ("1.0.0", "cpu")]  # of a version, and how it is spelled


def test_files_that_differ_only_in_their_label_are_mixed_variants() -> None:
    names = [
        "demo-1.0-py3-none-any.whl",  # without a label
        "demo-1.1+cpu-py3-none-any.whl",
        "demo-1.1+cu128-py3-none-any.whl",
        "demo-1.1.0+cu9-py3-none-any.whl",
        "demo-1.2+cpu-py3-none-any.whl",
        "demo-1.2+cu128-cp312-cp312-win_amd64.whl",  # other tags
        "demo-1.3+2.tar.gz",
        "demo-1.3+10.tar.gz",
    ]
    found = [(FakeFiles().file(name).version, name) for name in names]
    assert mixed_labels(found) == {"1.1": ["cpu", "cu128", "cu9"], "1.3": ["2", "10"]}
    wheels = [(f"{version}+{label}", f"a-{version}+{label}-py3-none-any.whl") for version, label in SPELLED]
    assert mixed_labels(wheels) == {"2.0": ["cpu", "cu9"]}


# --- the tree --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the wheels of two projects with variants, and of one without."""
    monkeypatch.chdir(tmp_path)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for label in ("cpu", "cu118", "cu128"):
        write_wheel(wheels, "torch-like", f"2.8+{label}")
    write_wheel(wheels, "vision-like", "1.0+cu128")
    write_wheel(wheels, "numpy-like", "1.0")
    write_sdist(wheels, "torch-like", "2.8")
    return tmp_path


def policy(here: Path, text: str) -> str:
    (here / "policy.toml").write_text(f"[variants]\n{text}\n")
    return str(here / "policy.toml")


def listed(here: Path) -> dict[str, list[str]]:
    """The filenames on each page of a project, which are the same in HTML and JSON."""
    pages = {}
    for path in sorted((here / "public").rglob("index.v1_json")):
        document = json.loads(path.read_bytes())
        if "files" in document:
            names = [entry["filename"] for entry in html_entries(path.with_name("index.html").read_bytes())]
            assert [file["filename"] for file in document["files"]] == names
            for file in document["files"]:
                assert (path.parent / file["url"].replace("%2B", "+")).is_file()
            pages[str(path.parent.relative_to(here / "public"))] = names
    return pages


SDIST, NUMPY = "torch_like-2.8.tar.gz", ["numpy_like-1.0-py3-none-any.whl"]
CPU, CU118, CU128 = ([f"torch_like-2.8+{label}-py3-none-any.whl"] for label in ("cpu", "cu118", "cu128"))
VISION = ["vision_like-1.0+cu128-py3-none-any.whl"]
OF_VARIANTS = {
    "whl/cpu/numpy-like": NUMPY,
    "whl/cpu/torch-like": CPU,
    "whl/cu118/numpy-like": NUMPY,
    "whl/cu118/torch-like": CU118,
    "whl/cu128/numpy-like": NUMPY,
    "whl/cu128/torch-like": CU128,
    "whl/cu128/vision-like": VISION,
}


def test_each_variant_has_an_index_with_its_files_and_with_all_projects_without_variants(here: Path) -> None:
    publish(here / "wheels", here / "public", policy=policy(here, 'by = "local"'))
    assert listed(here) == OF_VARIANTS | {
        "simple/numpy-like": NUMPY,
        "simple/torch-like": [SDIST, *CPU, *CU118, *CU128],
        "simple/vision-like": VISION,
    }
    root = json.loads((here / "public/whl/cu118/index.v1_json").read_bytes())
    assert root == {"meta": {"api-version": "1.4"}, "projects": [{"name": "numpy-like"}, {"name": "torch-like"}]}


def test_the_main_index_lists_the_default_variant_and_files_without_one(here: Path) -> None:
    publish(here / "wheels", here / "public", policy=policy(here, 'by = "local"\ndefault = "cpu"'))
    assert listed(here) == OF_VARIANTS | {"simple/numpy-like": NUMPY, "simple/torch-like": [SDIST, *CPU]}


def test_the_main_page_in_json_names_the_variants(here: Path) -> None:
    publish(here / "wheels", here / "public", policy=policy(here, 'by = "local"\npath = "{variant}/simple"'))
    assert json.loads((here / "public/simple/index.v1_json").read_bytes())["meta"] == {
        "api-version": "1.4",
        "_variants": [
            {"name": "cpu", "url": "../cpu/simple/", "projects": ["torch-like"]},
            {"name": "cu118", "url": "../cu118/simple/", "projects": ["torch-like"]},
            {"name": "cu128", "url": "../cu128/simple/", "projects": ["torch-like", "vision-like"]},
        ],
    }


@pytest.mark.parametrize("default", ["", 'default = "cu128"'])
def test_a_second_build_writes_nothing_and_a_build_without_variants_removes_their_pages(
    here: Path, default: str
) -> None:
    options = {"policy": policy(here, f'by = "local"\n{default}')}
    publish(here / "wheels", here / "public", **options)
    manifest = (here / "public/.mkindex/manifest").read_bytes()
    assert publish(here / "wheels", here / "public", **options).written == 0
    assert (here / "public/.mkindex/manifest").read_bytes() == manifest
    assert read_tree(here / "public") == cold_build(here / "wheels", **options)
    publish(here / "wheels", here / "public", prune=True)
    assert read_tree(here / "public") == cold_build(here / "wheels")


@pytest.mark.parametrize("path", ["whl/{variant}", "{variant}/simple"])
def test_a_build_whose_policy_was_not_found_does_not_remove_the_indexes_of_variants(
    here: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    publish(here / "wheels", here / "public", policy=policy(here, f'by = "local"\npath = "{path}"'))
    before = read_tree(here / "public")
    run = Run(capsys, "wheels", "public", "--no-cache")
    text = (
        "error nothing published: public has an index for each variant (cpu, cu118, cu128), and this build has no "
        "[variants]. Give --policy or --config (mkindex.toml is read from the current directory). To remove the "
        "indexes of variants, use --prune\n"
    )
    assert (run.status, run.out, run.err, read_tree(here / "public") == before) == (3, "", text, True)


def test_the_index_of_a_variant_without_files_goes(here: Path) -> None:
    options = {"policy": policy(here, 'by = "local"')}
    publish(here / "wheels", here / "public", **options)
    (here / "wheels" / CU118[0]).unlink()
    publish(here / "wheels", here / "public", **options)
    assert not (here / "public/whl/cu118").exists()
    assert listed(here) == {path: names for path, names in OF_VARIANTS.items() if "cu118" not in path} | {
        "simple/numpy-like": NUMPY,
        "simple/torch-like": [SDIST, *CPU, *CU128],
        "simple/vision-like": VISION,
    }


def test_variants_in_directories_may_have_files_of_the_same_name(here: Path) -> None:
    name = "demo-1.0-py3-none-any.whl"
    for variant in ("cpu", "cu128"):
        (here / "trees" / variant).mkdir(parents=True)
        (here / "trees" / variant / name).write_bytes(wheel("demo", "1.0", body=variant))
        write_wheel(here / "trees" / variant, "same", "1.0")
    report = publish(here / "trees", here / "public", recursive=True, policy=policy(here, 'by = "directory"'))
    same = "same-1.0-py3-none-any.whl"
    assert listed(here) == {
        f"whl/{variant}/{project}": [file]
        for variant in ("cpu", "cu128")
        for project, file in {"demo": name, "same": same}.items()
    }
    assert [finding for finding in report.findings if finding.location == "[variants]"] == [
        Note(
            location="[variants]",
            text="the main index does not list 4 files whose filename several variants have. Set default to one of the "
            "variants",
        )
    ]
    publish(here / "trees", here / "public", recursive=True, policy=policy(here, 'by = "directory"\ndefault = "cpu"'))
    assert {path: names for path, names in listed(here).items() if path.startswith("simple")} == {
        "simple/demo": [name],
        "simple/same": [same],
    }
    assert (here / "public/simple/demo/index.html").read_bytes() == (
        here / "public/whl/cpu/demo/index.html"
    ).read_bytes().replace(b"../../../files", b"../../files")


def test_a_list_of_keys_gives_the_pages_of_their_layout(here: Path) -> None:
    """Keys in the shape of those of a large CUDA index: every file below the directory of its variant."""
    labels = ("cpu", "cu118", "cu128", "rocm6.4")
    keys = [
        f"whl/{label}/{project}-{version}+{label}-cp{python}-cp{python}-{platform}.whl"
        for label in labels
        for project, version in (("torch", "2.7.1"), ("torch", "2.8.0"), ("torchvision", "0.22.1"))
        for python in ("311", "312")
        for platform in ("manylinux_2_28_x86_64", "win_amd64")
    ]
    keys.append("whl/filelock-3.13.1-py3-none-any.whl")
    lines = (f'{{"filename": "{key}", "hash": "sha256={at:064x}"}}\n' for at, key in enumerate(keys))
    (here / "keys.txt").write_text("".join(lines))
    publish(
        here / "keys.txt",
        here / "public",
        simple_path="whl",
        files_url="https://example.com/",
        policy=policy(here, f"by = 'directory'\npattern = '{CUDA}'"),
    )
    pages = {
        str(path.parent.relative_to(here / "public")): {file["url"] for file in json.loads(path.read_bytes())["files"]}
        for path in (here / "public").glob("whl/**/index.v1_json")
        if b'"files"' in path.read_bytes()
    }
    expected: dict[str, set[str]] = {}
    for key in keys:
        directory, _, filename = key.rpartition("/")
        project = filename.partition("-")[0]
        for root in {"whl", directory} if directory != "whl" else {"whl", *(f"whl/{label}" for label in labels)}:
            expected.setdefault(f"{root}/{project}", set()).add(f"https://example.com/{key.replace('+', '%2B')}")
    assert pages == expected


# --- what is noted and refused ---------------------------------------------------------------------------------------


def variant_notes(here: Path, **options: str) -> list[str]:
    report = publish(here / "wheels", here / "public", **options)
    return [f"{one.location}: {one.text}" for one in report.notes]


def test_variants_on_one_page_are_noted_with_what_clients_do(here: Path) -> None:
    release = "torch-like: release 2.8 has variants on one page (cpu, cu118, cu128)"
    mixed = f"{release}: clients install 2.8+cu128 on every machine. "
    assert variant_notes(here) == [f"{mixed}[variants] gives each an index of its own (docs/policy.md)"]
    assert variant_notes(here, policy=policy(here, 'by = "local"')) == [
        f"{mixed}[variants] default selects one (docs/policy.md)"
    ]
    assert variant_notes(here, policy=policy(here, 'by = "local"\ndefault = "cpu"')) == []
    assert variant_notes(here, policy=policy(here, 'by = "local"\ndefault = "cu126"')) == [
        "[variants]: the default variant cu126 has no file, so the main index lists no variant. Correct default"
    ]


def test_a_project_and_a_variant_of_one_name_may_not_have_the_same_page(here: Path) -> None:
    write_wheel(here / "wheels", "cpu", "1.0")
    with pytest.raises(NotPublished) as error:
        publish(here / "wheels", here / "public", simple_path="whl", policy=policy(here, 'by = "local"'))
    assert str(error.value) == (
        "nothing published: the project cpu and the variant cpu would have the same page whl/cpu/. "
        "Give the variants another path in [variants]"
    )
    publish(here / "wheels", here / "public", policy=policy(here, 'by = "local"'))
    assert listed(here)["whl/cpu/cpu"] == ["cpu-1.0-py3-none-any.whl"]


def test_a_variant_may_not_have_the_path_of_the_main_index(here: Path) -> None:
    write_wheel(here / "wheels", "demo", "1.0+simple")
    with pytest.raises(NotPublished, match=r"^nothing published: a variant and the main index have the same path"):
        publish(here / "wheels", here / "public", policy=policy(here, 'by = "local"\npath = "{variant}"'))


MISTAKES = {
    'pattern = "x"': "1: by must be local, directory or project, and is missing",
    'by = "label"': "2: by must be local, directory or project, not 'label'",
    'by = "project"': "1: by = project needs a pattern, such as 'cu\\d+'",
    'by = "local"\npattern = "["': "3: pattern cannot be used: unterminated character set at position 0",
    'by = "local"\npattern = "(?P<variant>cu)"': "3: pattern cannot be used: redefinition of group name 'variant' as "
    "group 2; was group 1 at position 16",
    'by = "local"\npattern = "(a+)+"': "3: pattern cannot be used: + repeats a group with alternatives or a "
    "repetition, which can take exponential time. Use a class, such as [\\d.]+, or ++ at position 4",
    'by = "local"\npath = "whl"': "3: path must be a relative path with {variant} as one of its parts, not 'whl'",
    'by = "local"\npath = "../{variant}"': "3: path must be a relative path with {variant} as one of its parts, not "
    "'../{variant}'",
    'by = "local"\npath = "files/{variant}"': "3: path must not begin with files, which is taken",
    'by = "local"\ndefault = "A/B"': "3: default 'A/B' cannot be the name of a variant: use a-z, 0-9 and . _ -",
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=map(str, range(len(MISTAKES))))
def test_a_mistake_in_the_table_is_named_with_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        policy_from(tmp_path, f"[variants]\n{text}\n")
    assert str(error.value) == f"{tmp_path}/policy.toml:{message}"


SLOW = {  # each with what it would need
    "(a|a)*b": "repeats",
    "(?:a?){30}a{30}": "repeats",
    "(?:(?:a|b)c)+": "repeats",
    "((a+)){2,}": "repeats",
    "a*a*a*a*a*b": "too many repetitions",
    "(?:a|aa)" * 30: "too many repetitions",
    "(?i)cu": "are allowed",
    "a" * 501: "more than 500 characters",
}
QUICK = [
    r"cu\d+|cpu|rocm[\d.]+|xpu",
    r"rocm\d+(?:\.\d+)*+",
    r"(?:cu|rocm)\d+(?:_full|_cxx11)?\.?\d*?",
    r"(?:cu\d+|rocm\d+|xpu\d+|npu\d+|mps\d+|tpu\d+)",
    r"[(+*|]+\(+\|",
    r"(?:ab){2,3}[]+]",
]


@pytest.mark.parametrize("pattern", SLOW, ids=map(str, range(len(SLOW))))
def test_a_pattern_that_could_take_exponential_time_is_refused(pattern: str) -> None:
    with pytest.raises(re.error, match=SLOW[pattern]):
        Variants(by="local", pattern=pattern)


@pytest.mark.parametrize("pattern", QUICK)
def test_other_patterns_are_accepted(pattern: str) -> None:
    assert Variants(by="local", pattern=pattern).pattern == pattern


def test_a_label_that_is_too_long_to_be_a_name_is_no_variant() -> None:
    files = FakeFiles()
    found = [
        Variants(by="local", pattern="[a-z]+").of(files.file(f"demo-1.0+{'a' * length}-py3-none-any.whl"))
        for length in (64, 65)
    ]
    assert found == ["a" * 64, ""]


# --- check and client ------------------------------------------------------------------------------------------------


def test_a_check_of_each_index_of_the_tree_finds_no_unlisted_file(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(here / "wheels", here / "public", policy=policy(here, 'by = "local"\ndefault = "cpu"'))
    for root in ("", "whl/cu128"):
        run = Run(capsys, "check", str(here / "public" / root))
        assert (run.status, run.out.splitlines()[2].partition(";")[0]) == (0, "0 errors, 0 warnings, 0 notes")


# --- hosts -----------------------------------------------------------------------------------------------------------


def test_hosts_send_the_json_pages_of_each_variant_with_their_type(here: Path) -> None:
    publish(here / "wheels", here / "public", host="netlify", policy=policy(here, 'by = "local"'))
    rules = (here / "public/_headers").read_text().split("\n\n")
    json_type = "  Content-Type: application/vnd.pypi.simple.v1+json"
    assert [rule.partition("\n")[0] for rule in rules if rule.rstrip().endswith(json_type)] == [
        f"/{root}{page}"
        for root in ("simple/", "whl/cpu/", "whl/cu118/", "whl/cu128/")
        for page in ("index.v1_json", ":project/index.v1_json")
    ]
