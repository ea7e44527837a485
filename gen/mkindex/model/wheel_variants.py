"""Wheel variants (PEP 825, a draft): wheels of one release that a label at the end of their filename tells apart.

`variant.json` in each of them says which machine it is for. An index combines these files to one for each release,
which installers read before they choose a wheel. The format is still a draft, so its version is kept as it is. No I/O.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from mkindex.errors import Rejected
from mkindex.model.files import File
from mkindex.model.index import Index, Project, Release, without_zeros
from mkindex.text import printable

VARIANT_JSON = "variant.json"  # in the .dist-info of a wheel
MAX_VARIANT_JSON = 256 << 10  # bytes of it
MAX_VARIANTS_JSON = 8 << 20  # bytes of the combined file of a release
VARIANTS_JSON = "-variants.json"  # how the name of the combined file ends
NULL = "null"  # the label of the variant without properties, which runs everywhere
LABEL = re.compile(r"[0-9a-z_.]+")

_NAME, _VALUE = re.compile(r"[a-z0-9_]+"), re.compile(r"[a-z0-9_.]+")
_SCHEMA, _PRIORITIES, _NAMESPACE, _VARIANTS = "$schema", "default-priorities", "namespace", "variants"
_PROVIDERS = "providers"  # of the drafts of variantlib and uv
_VERSION = re.compile(r"/v(\d+)\.\d+\.\d+\.json\Z", re.ASCII)
_DEEPEST = 8  # levels of objects and lists; readers of other languages have a limit, too
_NEWEST_MAJOR = 1  # the version that the drafts, 0.x, are to become

Properties = Mapping[str, Mapping[str, Sequence[str]]]  # values by namespace and feature


class InvalidVariant(ValueError):
    """A variant.json, or a combined one, that is not valid or contradicts another. The text says what is wrong."""


class VariantsJson(NamedTuple):
    """The combined file of a release."""

    filename: str
    content: bytes
    upload_time: str  # of the first of its wheels

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def parse_variants(raw: bytes | str) -> dict[str, Any]:
    """Return the content of a variant.json or of a combined file, with the values of a property in order.

    Raises InvalidVariant.
    """
    try:
        content = json.loads(raw)
        # Python also reads NaN, Infinity, and halves of surrogate pairs, which other readers reject.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidVariant("not valid JSON") from error
    if not _is_shallow(content, _DEEPEST):
        raise InvalidVariant(f"nested more than {_DEEPEST} levels deep")
    if not isinstance(content, dict) or not isinstance(content.get(_SCHEMA), str):
        raise InvalidVariant(f"not an object with {_SCHEMA}")
    version = _VERSION.search(content[_SCHEMA])
    if version and int(version[1][:9]) > _NEWEST_MAJOR:
        raise InvalidVariant(
            f"{_SCHEMA} has version {version[1][:9]}, which this mkindex does not know. Update mkindex"
        )
    priorities = content.get(_PRIORITIES)
    namespaces = priorities.get(_NAMESPACE) if isinstance(priorities, dict) else None
    if not _are_names(namespaces, _NAME) or not namespaces:
        raise InvalidVariant(f"{_PRIORITIES}.{_NAMESPACE} is not a list of namespaces")
    variants = content.get(_VARIANTS)
    if not isinstance(variants, dict):
        raise InvalidVariant(f"{_VARIANTS} is not an object")
    if not isinstance(content.get(_PROVIDERS, {}), dict):
        raise InvalidVariant(f"{_PROVIDERS} is not an object")
    _check_providers(content)
    return content | {
        _VARIANTS: {label: _properties(label, variant, namespaces) for label, variant in variants.items()}
    }


def _is_shallow(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is None or (levels > 0 and all(_is_shallow(one, levels - 1) for one in inner))


def _check_providers(content: Mapping[str, Any]) -> None:
    """Raise InvalidVariant if there are providers, as in the drafts of variantlib and uv, but for other namespaces."""
    if _PROVIDERS in content and {*content[_PROVIDERS]} != {*content[_PRIORITIES][_NAMESPACE]}:
        raise InvalidVariant(f"{_PROVIDERS} has other namespaces than {_PRIORITIES}.{_NAMESPACE}")


def _properties(label: str, variant: object, namespaces: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """Return the properties of a variant, checked. Raises InvalidVariant."""
    where = f"{_VARIANTS}.{printable(label)}"
    if not LABEL.fullmatch(label):
        raise InvalidVariant(f"{where} is not a label: only a-z, 0-9, _ and . are allowed")
    if not isinstance(variant, dict) or not all(isinstance(features, dict) for features in variant.values()):
        raise InvalidVariant(f"{where} is not an object of namespaces and features")
    if bool(variant) == (label == NULL):
        raise InvalidVariant(f"{where} {'has' if variant else 'lacks'} properties: only {NULL!r} is without any")
    if unknown := sorted(variant.keys() - set(namespaces)):
        raise InvalidVariant(f"{_PRIORITIES}.{_NAMESPACE} lacks {printable(unknown[0])}")
    for features in variant.values():
        for feature, values in features.items():
            if not (_NAME.fullmatch(feature) and _are_names(values, _VALUE) and values):
                raise InvalidVariant(f"{where} has an invalid property {printable(feature)}")
    return {name: {one: sorted(values) for one, values in features.items()} for name, features in variant.items()}


def _are_names(values: object, pattern: re.Pattern[str]) -> bool:
    if not (isinstance(values, list) and all(isinstance(one, str) and pattern.fullmatch(one) for one in values)):
        return False
    return len(set(values)) == len(values)


def read_variant(raw: bytes | str, label: str) -> str:
    """Return the variant.json of a wheel with this label, as short text. Raises InvalidVariant."""
    content = parse_variants(raw)
    if [*content[_VARIANTS]] != [label]:
        labels = ", ".join(map(printable, list(content[_VARIANTS])[:3])) or "none"
        raise InvalidVariant(f"the filename says the label {label}, but its variant.json has {labels}")
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


def combine(contents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the union of the variants of a release. Raises InvalidVariant for two that do not agree."""
    whole: dict[str, Any] = {}
    for content in contents:
        whole = _join(whole, content) if whole else dict(content)
    return whole


def _join(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two files say together; the order does not matter. Raises InvalidVariant if they do not agree."""
    shorter, longer = sorted((one[_PRIORITIES][_NAMESPACE], other[_PRIORITIES][_NAMESPACE]), key=len)
    if longer[: len(shorter)] != shorter:
        raise InvalidVariant(f"{_PRIORITIES}.{_NAMESPACE} has another order")
    joined = {_PRIORITIES: _join_priorities(one[_PRIORITIES], other[_PRIORITIES]) | {_NAMESPACE: longer}}
    for key in sorted({*one, *other} - {_PRIORITIES}):
        if key in (_VARIANTS, _PROVIDERS):
            joined[key] = _union(key, one.get(key, {}), other.get(key, {}))
        elif one.get(key) == other.get(key):
            joined[key] = one[key]
        else:
            raise InvalidVariant(f"{printable(key)} differs")
    _check_providers(joined)
    return joined


def _join_priorities(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the priorities of features and of properties together. Raises InvalidVariant if they do not agree."""
    joined = {**one, **other}
    for key in one.keys() & other.keys() - {_NAMESPACE}:
        where = f"{_PRIORITIES}.{printable(key)}"
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            joined[key] = _union(where, one[key], other[key])
        elif one[key] != other[key]:
            raise InvalidVariant(f"{where} differs")
    return joined


def _union(key: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    for name in one.keys() & other.keys():
        if one[name] != other[name]:
            raise InvalidVariant(f"{key}.{printable(name)} differs")
    return {**one, **other}


def keep_consistent(
    files: Iterable[File], variant_of: Callable[[File], str] | None = None
) -> tuple[list[File], list[Rejected]]:
    """Return the files without those wheels whose variant.json does not agree with that of an earlier file.

    With `variant_of`, files of different indexes need not agree.
    """
    kept: list[File] = []
    rejected: list[Rejected] = []
    releases: dict[tuple[str, ...], tuple[dict[str, Any], File]] = {}
    for file in files:
        if file.facts.variant:
            release = file.project, without_zeros(file.version), variant_of(file) if variant_of else ""
            content = json.loads(file.facts.variant)
            known, first = releases.get(release, ({}, file))
            try:
                releases[release] = combine([known, content] if known else [content]), first
            except InvalidVariant as error:
                rejected.append(_inconsistent(file, first, str(error)))
                continue
        kept.append(file)
    return kept, rejected


def keep_consistent_lists(index: Index, lists: Callable[[Project], Iterable[Project]]) -> tuple[Index, list[Rejected]]:
    """Return the index without wheels whose variant.json does not agree with that of another one on the same list.

    `lists` returns what each list has of a project. They can have other wheels together than the sources do.
    """
    projects: list[Project] = []
    rejected: list[Rejected] = []
    for project in index.projects:
        left = project
        while part := next((part for part in lists(left) if keep_consistent(part.files)[1]), None):
            kept, inconsistent = keep_consistent(part.files)
            gone = set(map(id, part.files)) - set(map(id, kept))
            left = replace(left, files=tuple(file for file in left.files if id(file) not in gone))
            rejected += inconsistent
        projects.append(left)
    return Index(projects=tuple(projects)), rejected


def _inconsistent(file: File, first: File, why: str) -> Rejected:
    advice = "Installers combine them, so build all wheels of a release with the same settings"
    return Rejected(
        location=file.artifact.location,
        reason=f"its variant.json does not agree with those of {first.filename} and others of this release ({why}). "
        f"{advice}",
        reason_of_many=f"their variant.json do not agree with those of other wheels of the release. {advice}",
    )


def variants_documents(releases: Iterable[Release]) -> Iterator[VariantsJson]:
    """Yield the combined file of each release that has variants, which must be consistent."""
    for release in releases:
        wheels = [file for file in release.files if file.facts.variant]
        if wheels:
            content = combine(map(json.loads, sorted({file.facts.variant for file in wheels})))
            yield VariantsJson(
                filename=f"{wheels[0].project.replace('-', '_')}-{release.version}{VARIANTS_JSON}",
                # As variantlib writes it: indented by 4, sorted, and without a line break at the end.
                content=json.dumps(content, indent=4, sort_keys=True).encode(),
                # The earliest, so that a client that ignores newer files still reads it.
                upload_time=min((file.upload_time for file in wheels if file.upload_time), default=""),
            )
