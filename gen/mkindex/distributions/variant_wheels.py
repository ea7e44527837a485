"""Wheel variants (PEP 825, a draft): what the name and the variant.json of one say."""

import io
import re
from contextlib import suppress

from mkindex.distributions import zips
from mkindex.distributions.filenames import normal_filename
from mkindex.distributions.metadata import Metadata
from mkindex.errors import Unreadable
from mkindex.model.files import Facts
from mkindex.model.wheel_variants import MAX_VARIANT_JSON, VARIANT_JSON, InvalidVariant, read_variant

Stream = io.FileIO | io.BufferedIOBase

_MARKER = re.compile(r"\bvariant_(?:label|properties|features|namespaces)\b")


def read_variant_json(stream: Stream, size: int) -> bytes | None:
    """Return the variant.json of a wheel; None if it has none, or is damaged."""
    with suppress(Unreadable):
        read_at = zips.random_access(stream)
        directory, _, _ = zips.read_wheel_metadata(read_at, size)
        return zips.read_dist_info(read_at, size, directory, (VARIANT_JSON,)).get(VARIANT_JSON)
    return None


def with_variant(plain: Facts, filename: str, label: str, raw: bytes) -> Facts:
    """Return the facts of a wheel variant. `plain`: those of the wheel without its label. Raises Unreadable."""
    try:
        if len(raw) > MAX_VARIANT_JSON:
            raise InvalidVariant(f"more than {MAX_VARIANT_JSON >> 10} KiB")
        variant = read_variant(raw, label)
    except InvalidVariant as error:
        raise Unreadable(f"{VARIANT_JSON}: {error}. Build it again") from error
    normal = normal_filename(filename, plain.project, plain.version)
    return plain._replace(variant=variant, normal_filename=normal if normal != filename else "")


def without_variant_markers(metadata: Metadata) -> Metadata:
    """Return the metadata without the requirements that depend on the variant.

    `packaging` does not know their markers, and installers that read no variants do not read this wheel.
    """
    others = tuple(one for one in metadata.unusual_requirements if not _MARKER.search(one))
    return metadata._replace(unusual_requirements=others)
