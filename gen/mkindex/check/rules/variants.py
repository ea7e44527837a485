"""Rules on wheel variants (PEP 825, a draft), which uv reads with a preview feature."""

from collections.abc import Iterator

from mkindex.check.findings import DEPENDS, WARNING, Violation, rule
from mkindex.check.observations import SeenVariants
from mkindex.distributions.filenames import split_label
from mkindex.model.wheel_variants import InvalidVariant, combine, parse_variants, read_variant
from mkindex.text import and_more


@rule(
    SeenVariants,
    "no-variants-json",
    WARNING,
    uv=DEPENDS,
    impact="uv ignores the wheels, also with its preview feature, and installs one without a label. Other clients "
    "ignore wheels with a label in any case.",
    fix="List NAME-VERSION-variants.json on the page (mkindex --wheel-variants makes it). If the wheels are not meant "
    "as variants, build them again with a current tool: their names have a part too many.",
)
def no_variants_json(variants: SeenVariants) -> Iterator[Violation]:
    """Wheel variants are on one page with the file that says what they are for."""
    if not variants.is_listed:
        labels = sorted({split_label(name)[1] for name in variants.wheels})
        yield Violation(f"no {variants.filename} for wheels with the label {and_more(labels)}")


@rule(
    SeenVariants,
    "variants-json",
    WARNING,
    uv=DEPENDS,
    impact="uv with its preview feature fails if it cannot read the file. If a label is missing there or has other "
    "properties than in its wheel, uv ignores the wheel or installs one that does not fit the machine.",
    fix="Make the file again from all wheels of the release (mkindex --wheel-variants does).",
)
def variants_json(variants: SeenVariants) -> Iterator[Violation]:
    """The file that says what wheel variants are for is valid, and says the same as the wheels."""
    whole = None
    if variants.is_listed and variants.text is not None:
        try:
            whole = parse_variants(variants.text)
        except InvalidVariant as error:
            yield Violation(str(error), variants.filename)
        else:
            labels = {split_label(name)[1] for name in variants.wheels} - whole["variants"].keys()
            if labels:
                yield Violation(f"lacks the label {and_more(sorted(labels))}", variants.filename)
    for name, text in variants.wheels.items():
        if text is None or not variants.is_listed:
            continue
        try:
            own = parse_variants(read_variant(text, split_label(name)[1])) if text else None
            if own and whole:
                combine([whole, own])
        except InvalidVariant as error:
            yield Violation(f"its variant.json does not agree: {error}", name)
        else:
            if own is None:
                yield Violation("it has no variant.json", name)
