"""Wheel variants (PEP 825, a draft): what their wheels say is combined, published and kept."""

from __future__ import annotations

import hashlib
import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import cli
from mkindex.check.engine import CheckOptions, check
from mkindex.distributions.filenames import normal_filename, split_label
from mkindex.errors import Rejected
from mkindex.model.wheel_variants import InvalidVariant, combine, parse_variants, read_variant
from mkindex.policy.tags import runs_on_platform
from mkindex.site.tags import tags_of
from support.builds import cold_build, publish
from support.index_server import serve_index
from support.trees import read_tree
from support.variant_wheels import PROVIDERS, SCHEMA, cuda, variant_json, write_release, write_variant
from support.wheels import TAG, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.build.report import Report

pytestmark = pytest.mark.usefixtures("isolated")

PLAIN = "demo-1.0-py3-none-any.whl"
CU126, CU129, NULL = (f"demo-1.0-py3-none-any-{label}.whl" for label in ("cu126", "cu129", "null"))
COMBINED = "demo-1.0-variants.json"
LABELS = {"cu126": cuda("12.6"), "cu129": cuda("12.9"), "null": {}}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    write_release(wheels, "demo", "1.0")
    return wheels


def listed(tree: Path, project: str = "demo", root: str = "simple") -> dict[str, dict[str, Any]]:
    page = json.loads((tree / root / project / "index.v1_json").read_bytes())
    return {entry["filename"]: entry for entry in page["files"]}


def combined(tree: Path, filename: str = COMBINED) -> dict[str, Any]:
    """What the file that the page lists says."""
    entry = listed(tree)[filename]
    raw = (tree / "simple" / "demo" / entry["url"]).resolve().read_bytes()
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (entry["hashes"]["sha256"], entry["size"])
    content: dict[str, Any] = json.loads(raw)
    return content


def reasons(report: Report) -> dict[str, str]:
    return {one.location.rpartition("/")[2]: one.reason for one in report.findings if isinstance(one, Rejected)}


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        (PLAIN, (PLAIN, "")),
        (CU126, (PLAIN, "cu126")),
        ("demo-1.0-1-py3-none-any.whl", ("demo-1.0-1-py3-none-any.whl", "")),
        ("demo-1.0-1-py3-none-any-x86_64_v3.whl", ("demo-1.0-1-py3-none-any.whl", "x86_64_v3")),
        ("demo-1.0-py3-none-any-cu12.8.whl", (PLAIN, "cu12.8")),
        ("demo-1.0-py3-none-any-CU.whl", ("demo-1.0-py3-none-any-CU.whl", "")),
        ("demo-1.0-1-py3-none-any-a-b.whl", ("demo-1.0-1-py3-none-any-a-b.whl", "")),
        ("a-b-c-d-e-1.0.tar.gz", ("a-b-c-d-e-1.0.tar.gz", "")),
    ],
)
def test_the_label_is_the_part_after_the_tags(filename: str, expected: tuple[str, str]) -> None:
    assert split_label(filename) == expected


def test_a_label_is_not_taken_for_a_tag() -> None:
    name = "demo-1.0-cp312-cp312-win_amd64.linux-null.whl"
    assert (
        tags_of(name),
        runs_on_platform(name, ("windows",)),
        runs_on_platform(name, ("macos",)),
        normal_filename("Demo-1.0-py3.py2-none-any-null.whl", "demo", "1.0"),
    ) == ("cp312-cp312-win_amd64.linux", True, False, "demo-1.0-py2.py3-none-any-null.whl")


# --- variant.json ----------------------------------------------------------------------------------------------------


GOOD = variant_json("cu126", cuda("12.6"))
INVALID = {
    "not JSON": (b"{", "not valid JSON"),
    "nested without end": (b"[" * 100_000, "not valid JSON"),
    "not an object": (b"[]", "not an object with $schema"),
    "without a schema": ({**GOOD, "$schema": 1}, "not an object with $schema"),
    "a later version": (
        {**GOOD, "$schema": "https://example.com/v2.0.0.json"},
        "$schema has version 2, which this mkindex does not know. Update mkindex",
    ),
    "without priorities": (
        {**GOOD, "default-priorities": {}},
        "default-priorities.namespace is not a list of namespaces",
    ),
    "no namespace": (
        {**GOOD, "default-priorities": {"namespace": []}},
        "default-priorities.namespace is not a list of namespaces",
    ),
    "a namespace twice": (
        {**GOOD, "default-priorities": {"namespace": ["nvidia", "nvidia"]}},
        "default-priorities.namespace is not a list of namespaces",
    ),
    "another namespace": (
        {**GOOD, "default-priorities": {"namespace": ["cpu"]}, "providers": {"cpu": {}}},
        "default-priorities.namespace lacks nvidia",
    ),
    "Infinity": ({**GOOD, "more": float("inf")}, "not valid JSON"),
    "half of a surrogate pair": ({**GOOD, "more": "\ud800"}, "not valid JSON"),
    "deeply nested": ({**GOOD, "more": [[[[[[[[1]]]]]]]]}, "nested more than 8 levels deep"),
    "other providers": (
        {**GOOD, "providers": {"cpu": {}}},
        "providers has other namespaces than default-priorities.namespace",
    ),
    "providers that are none": ({**GOOD, "providers": []}, "providers is not an object"),
    "variants that are none": ({**GOOD, "variants": []}, "variants is not an object"),
    "without a variant": ({**GOOD, "variants": {}}, "the filename says the label cu126, but its variant.json has none"),
    "another label": (
        {**GOOD, "variants": {"cu128": cuda("12.8")}},
        "the filename says the label cu126, but its variant.json has cu128",
    ),
    "two labels": (
        {**GOOD, "variants": LABELS},
        "the filename says the label cu126, but its variant.json has cu126, cu129, null",
    ),
    "no properties": (
        {**GOOD, "variants": {"cu126": {}}},
        "variants.cu126 lacks properties: only 'null' is without any",
    ),
    "features that are none": (
        {**GOOD, "variants": {"cu126": {"nvidia": []}}},
        "variants.cu126 is not an object of namespaces and features",
    ),
    "a value in capitals": ({**GOOD, "variants": {"cu126": cuda("RTX")}}, "variants.cu126 has an invalid property"),
    "no value": (
        {**GOOD, "variants": {"cu126": {"nvidia": {"sm_arch": []}}}},
        "variants.cu126 has an invalid property sm_arch",
    ),
}


@pytest.mark.parametrize("kind", INVALID)
def test_a_wheel_with_an_invalid_variant_json_is_rejected_with_what_is_wrong(
    release: Path, tmp_path: Path, kind: str
) -> None:
    content, reason = INVALID[kind]
    write_variant(release, "demo", "1.0", "cu126", content)
    report = publish(release, tmp_path / "public", wheel_variants=True)
    ((name, text),) = reasons(report).items()
    assert (name, text.startswith(f"variant.json: {reason}")) == (CU126, True), text
    assert listed(tmp_path / "public").keys() == {PLAIN, CU129, NULL, COMBINED}


def test_a_null_variant_with_properties_is_invalid() -> None:
    with pytest.raises(InvalidVariant, match=r"variants\.null has properties: only 'null' is without any"):
        read_variant(json.dumps(variant_json("null", cuda("12.6"))), "null")


def test_the_order_of_wheels_does_not_matter_for_what_they_say_together() -> None:
    contents = [
        parse_variants(json.dumps(variant_json("a", cuda("12.6"), ["nvidia"]))),
        parse_variants(json.dumps(variant_json("b", cuda("12.9"), ["nvidia", "x86_64"]))),
        parse_variants(json.dumps(variant_json("null", {}, ["nvidia", "x86_64", "blas"]))),
    ]
    results = [combine(order) for order in permutations(contents)]
    assert results == [results[0]] * 6
    assert results[0]["default-priorities"] == {"namespace": ["nvidia", "x86_64", "blas"]}
    assert results[0]["variants"] == {"a": cuda("12.6"), "b": cuda("12.9"), "null": {}}


# --- builds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [None, "1"])
def test_a_wheel_variant_is_rejected_without_the_option(tmp_path: Path, build: str | None) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    name = write_variant(wheels, "demo", "1.0", "cu126", GOOD, build=build).name
    write_wheel(wheels, "demo", "1.0")
    report = publish(wheels, tmp_path / "public")
    assert reasons(report) == {
        name: "a wheel variant with the label cu126 (PEP 825, a draft): pip, poetry and PDM ignore it, and so does "
        "uv without --preview-features wheel-variants. --wheel-variants publishes it"
    }
    assert listed(tmp_path / "public").keys() == {PLAIN}
    # What was remembered of it holds with the option, too.
    assert reasons(publish(wheels, tmp_path / "public", wheel_variants=True)) == {}


def test_a_page_lists_the_variants_and_a_file_that_says_what_they_are_for(release: Path, tmp_path: Path) -> None:
    write_wheel(release, "other", "1.0")
    publish(release, tmp_path / "public", wheel_variants=True)
    content = variant_json("cu126", {}) | {"variants": LABELS}
    assert (combined(tmp_path / "public"), [*listed(tmp_path / "public")]) == (
        content,
        [CU126, CU129, NULL, PLAIN, COMBINED],
    )
    html = (tmp_path / "public/simple/demo/index.html").read_text()
    assert html.count(f"{COMBINED}#sha256=") == 1
    assert "variants.json" not in (tmp_path / "public/simple/other/index.html").read_text()


def test_an_old_page_names_the_file_that_it_was_written_for(release: Path, tmp_path: Path) -> None:
    tree = tmp_path / "public"
    publish(release, tree, wheel_variants=True, grace=1000)
    before = listed(tree)[COMBINED]
    write_variant(release, "demo", "1.0", "cu130", variant_json("cu130", cuda("13.0")))
    report = publish(release, tree, wheel_variants=True, grace=1000)
    old = (tree / "simple" / "demo" / before["url"]).resolve().read_bytes()
    assert hashlib.sha256(old).hexdigest() == before["hashes"]["sha256"]
    assert combined(tree)["variants"] == LABELS | {"cu130": cuda("13.0")}
    assert (report.removed_files, reasons(report)) == ((), {})
    publish(release, tree, wheel_variants=True, grace=0)
    assert [path.parent.name for path in tree.glob(f"files/*/*/{COMBINED}")] == [
        listed(tree)[COMBINED]["hashes"]["sha256"][2:]
    ]
    assert read_tree(tree) == cold_build(release, wheel_variants=True)


def test_wheels_that_do_not_agree_are_rejected_and_the_others_stay(release: Path, tmp_path: Path) -> None:
    other_order = variant_json("x", cuda("12.0"), ["x86_64", "nvidia"])
    write_variant(release, "demo", "1.0", "x", other_order)
    write_variant(release, "demo", "1.0", "cu126", variant_json("cu126", cuda("12.5")), tag="cp312-cp312-win_amd64")
    write_variant(release, "demo", "1.0", "y", variant_json("y", cuda("12.1")) | {"$schema": "https://other"})
    report = publish(release, tmp_path / "public", wheel_variants=True)
    why = {name: text.partition("(")[2].partition(")")[0] for name, text in reasons(report).items()}
    assert why == {
        CU126: "variants.cu126 differs",  # the name of the other one sorts before it
        "demo-1.0-py3-none-any-x.whl": "default-priorities.namespace has another order",
        "demo-1.0-py3-none-any-y.whl": "$schema differs",
    }
    assert combined(tmp_path / "public")["variants"] == LABELS | {"cu126": cuda("12.5")}


def with_priorities(label: str, version: str, **priorities: object) -> dict[str, Any]:
    content = variant_json(label, cuda(version))
    return content | {"default-priorities": content["default-priorities"] | priorities}


def test_a_wheel_with_other_priorities_of_features_or_properties_is_rejected(release: Path, tmp_path: Path) -> None:
    first = {"nvidia": ["cuda_version_lower_bound"]}
    values = {"nvidia": {"cuda_version_lower_bound": ["12.6"]}}
    for label, priorities in (
        ("a", {"feature": first, "property": values}),
        ("b", {"feature": first}),
        ("c", {"feature": {"nvidia": ["sm_arch"]}}),
        ("d", {"property": {"nvidia": {"cuda_version_lower_bound": ["12.9"]}}}),
        ("e", {"feature": {"x86_64": ["level"]}, "property": {}}),
        ("f", {"feature": []}),
    ):
        write_variant(release, "demo", "1.0", label, with_priorities(label, "12.0", **priorities))
    report = publish(release, tmp_path / "public", wheel_variants=True)
    why = {name: text.partition("(")[2].partition(")")[0] for name, text in reasons(report).items()}
    assert why == {
        "demo-1.0-py3-none-any-c.whl": "default-priorities.feature.nvidia differs",
        "demo-1.0-py3-none-any-d.whl": "default-priorities.property.nvidia differs",
        "demo-1.0-py3-none-any-f.whl": "default-priorities.feature differs",
    }
    assert combined(tmp_path / "public")["default-priorities"] == {
        "feature": first | {"x86_64": ["level"]},
        "namespace": ["nvidia"],
        "property": values,
    }


def test_an_index_grown_wheel_by_wheel_equals_one_that_is_built(release: Path, tmp_path: Path) -> None:
    tree, whole = tmp_path / "public", cold_build(release, wheel_variants=True)
    for number, path in enumerate(sorted(release.iterdir())):
        (part := tmp_path / f"part{number}").mkdir()
        path.rename(part / path.name)
        options = ["--wheel-variants"] if number == 0 else []  # the index keeps it
        assert cli.run(["add", str(part), str(tree), "--grace", "0", *options]) == 0
    grown = read_tree(tree)
    assert {path: grown[path] for path in whole if not path.startswith(".mkindex")} == {
        path: content for path, content in whole.items() if not path.startswith(".mkindex")
    }
    assert cli.run(["remove", str(tree), "demo-1.0-*-cu129.whl", "--yes", "--grace", "0"]) == 0
    assert combined(tree)["variants"].keys() == {"cu126", "null"}
    assert (
        cli.run(["remove", str(tree), "demo-1.0-*-*-*-cu126.whl", "demo-1.0-*-null.whl", "--yes", "--grace", "0"]) == 0
    )
    assert listed(tree).keys() == {PLAIN}
    assert list(tree.glob("files/*/*/*.json")) == []


def test_an_added_variant_that_contradicts_published_ones_is_rejected(release: Path, tmp_path: Path) -> None:
    tree = tmp_path / "public"
    publish(release, tree, wheel_variants=True)
    (more := tmp_path / "more").mkdir()
    write_variant(more, "demo", "1.0", "cu126", variant_json("cu126", cuda("12.0")), tag="cp312-cp312-win_amd64")
    assert cli.run(["add", str(more), str(tree)]) == 1
    assert combined(tree)["variants"] == LABELS


def test_a_yanked_release_keeps_its_variants(release: Path, tmp_path: Path) -> None:
    tree = tmp_path / "public"
    publish(release, tree, wheel_variants=True)
    before = combined(tree)
    assert cli.run(["yank", str(tree), "demo==1.0"]) == 0
    entries = listed(tree)
    assert {name: entry.get("yanked") for name, entry in entries.items()} == {
        **dict.fromkeys((CU126, CU129, NULL, PLAIN), True),
        COMBINED: None,
    }
    assert combined(tree) == before


def test_the_index_of_a_cuda_variant_says_what_its_own_wheel_variants_are_for(tmp_path: Path) -> None:
    for label, version in (("cpu", "12.6"), ("cu128", "12.9")):
        (directory := tmp_path / "wheels" / label).mkdir(parents=True)
        write_variant(directory, "demo", "1.0", f"for_{label}", variant_json(f"for_{label}", cuda(version)))
    (tmp_path / "policy.toml").write_text('[variants]\nby = "directory"\ndefault = "cpu"\n')
    options: dict[str, Any] = {"policy": str(tmp_path / "policy.toml"), "recursive": True, "wheel_variants": True}
    publish(tmp_path / "wheels", tmp_path / "public", **options)
    found = {}
    for root in ("simple", "whl/cpu", "whl/cu128"):
        entry = listed(tmp_path / "public", root=root)[COMBINED]
        path = (tmp_path / "public" / root / "demo" / entry["url"]).resolve()
        found[root] = [*json.loads(path.read_bytes())["variants"]]
    assert found == {"simple": ["for_cpu"], "whl/cpu": ["for_cpu"], "whl/cu128": ["for_cu128"]}


def of_other_provider(label: str, version: str) -> dict[str, Any]:
    provider = PROVIDERS["nvidia"] | {"requires": ["other"]}
    return variant_json(label, cuda(version)) | {"providers": {"nvidia": provider}}


@pytest.mark.parametrize("more", [{}, {"site": True, "links": True, "legacy_json": True}])
def test_wheels_of_two_directories_that_the_main_index_lists_have_to_agree(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    wheels, public = tmp_path / "wheels", tmp_path / "public"
    for directory, label, content in (
        ("cu1", "a", variant_json("a", cuda("12.6"))),
        ("cu2", "b", of_other_provider("b", "12.9")),
        # The main index lists neither of two with the same filename.
        ("cu1", "same", variant_json("same", cuda("12.6"))),
        ("cu2", "same", of_other_provider("same", "12.9")),
    ):
        (wheels / directory).mkdir(parents=True, exist_ok=True)
        write_variant(wheels / directory, "demo", "1.0", label, content)
    (tmp_path / "policy.toml").write_text('[variants]\nby = "directory"\n')
    options = more | {"policy": str(tmp_path / "policy.toml"), "recursive": True, "wheel_variants": True}
    report = publish(wheels, public, **options)
    b = "demo-1.0-py3-none-any-b.whl"
    assert {name: text.partition("(")[2].partition(")")[0] for name, text in reasons(report).items()} == {
        b: "providers.nvidia differs"
    }
    a, same = (f"demo-1.0-py3-none-any-{label}.whl" for label in ("a", "same"))
    found = {root: listed(public, root=root).keys() for root in ("simple", "whl/cu1", "whl/cu2")}
    assert found == {"simple": {a, COMBINED}, "whl/cu1": {a, same, COMBINED}, "whl/cu2": {same, COMBINED}}
    (tmp_path / "policy.toml").write_text('[variants]\nby = "directory"\ndefault = "cu1"\n')
    assert reasons(publish(wheels, public, **options)) == {}


def test_wheels_have_to_agree_without_those_that_the_policy_leaves_out(tmp_path: Path) -> None:
    (wheels := tmp_path / "wheels").mkdir()
    both, namespaces = {"nvidia": PROVIDERS["nvidia"], "amd": PROVIDERS["nvidia"]}, ["nvidia", "amd"]
    for label, tag, content in (
        ("a", TAG, variant_json("a", cuda("12.6"))),
        (
            "b",
            TAG,
            {key: value for key, value in variant_json("b", cuda("12.9"), namespaces).items() if key != "providers"},
        ),
        ("0", "cp312-cp312-win_amd64", variant_json("0", cuda("12.0"), namespaces) | {"providers": both}),
    ):
        write_variant(wheels, "demo", "1.0", label, content, tag=tag)
    assert reasons(publish(wheels, tmp_path / "all", wheel_variants=True)) == {}
    (policy := tmp_path / "policy.toml").write_text('[[only]]\nproject = "demo"\nplatforms = ["linux"]\n')
    report = publish(wheels, tmp_path / "linux", wheel_variants=True, policy=str(policy))
    assert reasons(report).keys() == {"demo-1.0-py3-none-any-b.whl"}
    assert listed(tmp_path / "linux").keys() == {"demo-1.0-py3-none-any-a.whl", COMBINED}


@pytest.mark.parametrize("remote", ["reference", "mirror"])
def test_the_variants_of_another_index_are_read_from_its_wheels(release: Path, tmp_path: Path, remote: str) -> None:
    publish(release, tmp_path / "one", wheel_variants=True)
    with serve_index(tmp_path / "one") as server:
        arguments = [f"{server.url}simple/", str(tmp_path / "two"), "--all", "--remote", remote, "--wheel-variants"]
        assert cli.run(arguments) == 0
    assert combined(tmp_path / "two") == combined(tmp_path / "one")
    assert listed(tmp_path / "two").keys() == {CU126, CU129, NULL, PLAIN, COMBINED}


def test_files_elsewhere_have_a_combined_file_in_the_tree(release: Path, tmp_path: Path) -> None:
    publish(release, tmp_path / "public", wheel_variants=True, files_url="https://files.example.com/", links=True)
    assert listed(tmp_path / "public")[CU126]["url"] == f"https://files.example.com/{CU126}"
    assert combined(tmp_path / "public")["variants"] == LABELS
    assert COMBINED in (tmp_path / "public/links.html").read_text()


def test_requirements_with_markers_of_variants_are_not_criticized(release: Path, tmp_path: Path) -> None:
    marker = "demo-cuda; 'nvidia' in variant_namespaces"
    write_variant(release, "demo", "1.0", "cu126", GOOD, requires_dist=[marker, "no/name"])
    report = publish(release, tmp_path / "public", wheel_variants=True)
    (note,) = (one.text for one in report.notes if one.location.endswith(CU126))
    assert note.startswith("Requires-Dist 'no/name' cannot be parsed")


def test_a_check_finds_nothing_in_an_index_with_wheel_variants(release: Path, tmp_path: Path) -> None:
    publish(release, tmp_path / "public", wheel_variants=True, links=True)
    assert check(CheckOptions(target=tmp_path / "public", files="deep")).findings == ()


def test_the_schema_of_the_draft_stays_as_it_is(release: Path, tmp_path: Path) -> None:
    publish(release, tmp_path / "public", wheel_variants=True)
    assert combined(tmp_path / "public")["$schema"] == SCHEMA
