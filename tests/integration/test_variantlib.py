"""The files that say what wheel variants are for equal those of variantlib, the reference implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.builds import publish
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import ClientHome

PROJECT = """\
[variant.default-priorities]
namespace = ["nvidia", "x86_64", "blas"]

[variant.providers.nvidia]
requires = ["nvidia-variant-provider>=0.0.1"]
plugin-api = "nvidia_variant_provider.plugin:NvidiaVariantPlugin"

[variant.providers.x86_64]
requires = ["provider-variant-x86-64"]
optional = true

[variant.providers.blas]
static-properties = { library = ["mkl", "openblas"] }
"""
VARIANTS = {
    "cu128": ["nvidia :: cuda_version_lower_bound :: 12.8", "nvidia :: sm_arch :: 120_real", "nvidia :: sm_arch :: 90"],
    "x86_64_v3_openblas": ["x86_64 :: level :: v3", "blas :: library :: openblas"],
    "cpu.mkl": ["blas :: library :: mkl"],
}


def test_variantlib_makes_the_same_files_of_its_own_wheels(tmp_path: Path, home: ClientHome) -> None:
    plain, wheels = tmp_path / "plain", tmp_path / "wheels"
    plain.mkdir()
    wheels.mkdir()
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for version in ("1.0", "2.0+local"):
        path = write_wheel(plain, "My-Demo", version)
        common = ("-f", str(path), "-o", str(wheels), "--pyproject-toml", str(tmp_path / "pyproject.toml"))
        for label, properties in VARIANTS.items():
            options = ("--skip-plugin-validation", "--variant-label", label)
            home.run("variantlib", "variantlib", "make-variant", *common, *options, "-p", *properties)
        home.run("variantlib", "variantlib", "make-variant", *common, "--null-variant")
    report = publish(wheels, tmp_path / "public", wheel_variants=True)
    home.run("variantlib", "variantlib", "generate-index-json", "-d", str(wheels))
    theirs = {path.name: path.read_text() for path in wheels.glob("*.json")}
    ours = {path.name: path.read_text() for path in (tmp_path / "public").glob("files/*/*/*.json")}
    assert report.rejected == ()
    assert sorted(theirs) == ["my_demo-1.0-variants.json", "my_demo-2.0+local-variants.json"]
    assert ours == theirs
