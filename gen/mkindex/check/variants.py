"""Observe the wheel variants of a project (PEP 825): which there are, and what says what they are for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from packaging.utils import canonicalize_name, canonicalize_version

from mkindex.check.observations import SeenFile, SeenPage, SeenVariants
from mkindex.distributions.filenames import split_label
from mkindex.model.wheel_variants import VARIANTS_JSON

VariantText = tuple[str, str]  # a filename, and the text of that file or of the variant.json in it


def variants_on(pages: Iterable[SeenPage]) -> Iterator[SeenVariants]:
    """Yield the releases of which pages list wheel variants."""
    names = {entry.filename for page in pages for entry in page.entries}
    listed = {_release(name.removesuffix(VARIANTS_JSON)): name for name in names if name.endswith(VARIANTS_JSON)}
    wheels: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name in sorted(names):
        if split_label(name)[1]:
            wheels[_release(_stem(name))].append(name)
    for release, filenames in sorted(wheels.items()):
        yield SeenVariants(
            filename=listed.get(release, f"{_stem(filenames[0])}{VARIANTS_JSON}"),
            wheels=dict.fromkeys(filenames),
            is_listed=release in listed,
        )


def _stem(wheel: str) -> str:
    """Return the name and the version at the start of the name of a wheel."""
    return "-".join(wheel.split("-", 2)[:2])


def _release(stem: str) -> tuple[str, str]:
    """Return a name and a version in one spelling."""
    name, _, version = stem.rpartition("-")
    return canonicalize_name(name), canonicalize_version(version)


def variant_text(file: SeenFile) -> VariantText | None:
    """Return what a file says of wheel variants; None if it is not about them, or was not read."""
    filename = file.entry.filename
    if file.variants is not None:
        return filename, file.variants
    if file.content is None or file.content.broken or not split_label(filename)[1]:
        return None
    return filename, "".join(file.content.variant)


def with_texts(variants: SeenVariants, texts: Mapping[str, str]) -> SeenVariants:
    """Return the variants of a release with what their files say, as far as these were read."""
    return replace(
        variants,
        wheels={name: texts.get(name) for name in variants.wheels},
        text=texts.get(variants.filename),
    )
