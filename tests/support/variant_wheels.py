"""Makes wheel variants (PEP 825), as variantlib's `make-variant` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.wheels import TAG, wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SCHEMA = "https://variants-schema.wheelnext.dev/v0.2.0.json"
PROVIDERS: Mapping[str, Any] = {
    "nvidia": {
        "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
        "requires": ["nvidia-variant-provider"],
    }
}
Properties = dict[str, dict[str, list[str]]]


def cuda(version: str) -> Properties:
    """The properties of a wheel that needs a driver for this version of CUDA."""
    return {"nvidia": {"cuda_version_lower_bound": [version]}}


def variant_json(label: str, properties: Properties, namespaces: Sequence[str] = ("nvidia",)) -> dict[str, Any]:
    """The content of the variant.json of a wheel."""
    return {
        "$schema": SCHEMA,
        "default-priorities": {"namespace": list(namespaces)},
        "providers": dict.fromkeys(namespaces, PROVIDERS["nvidia"]),
        "variants": {label: properties},
    }


def write_variant(
    directory: Path,
    name: str,
    version: str,
    label: str,
    content: object,
    *,
    tag: str = TAG,
    build: str | None = None,
    requires_dist: Iterable[str] = (),
) -> Path:
    """Write a wheel with a label, whose variant.json has this content: an object, or the bytes of another file.

    Its module has a constant LABEL.
    """
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    module = name.replace("-", "_")
    files = {f"{module}.py": f"LABEL = {label!r}\n".encode(), f"{module}-{version}.dist-info/variant.json": raw}
    plain = wheel_filename(name, version, tag=tag, build=build)
    path = directory / f"{plain.removesuffix('.whl')}-{label}.whl"
    path.write_bytes(wheel(name, version, tag=tag, build=build, files=files, requires_dist=requires_dist))
    return path


def write_release(directory: Path, name: str, version: str) -> None:
    """Write the wheels of a release: for two versions of CUDA, for all machines, and one without a label."""
    write_variant(directory, name, version, "cu126", variant_json("cu126", cuda("12.6")))
    write_variant(directory, name, version, "cu129", variant_json("cu129", cuda("12.9")))
    write_variant(directory, name, version, "null", variant_json("null", {}))
    files = {f"{name.replace('-', '_')}.py": b"LABEL = ''\n"}
    directory.joinpath(wheel_filename(name, version)).write_bytes(wheel(name, version, files=files))
