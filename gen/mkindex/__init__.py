"""Turn wheels and sdists into a static Simple Repository index; check and read such indexes.

`mkindex.api` documents the functions. A name is imported when it is first used, so that `import mkindex` stays fast.
"""

__version__ = "0.2.0.dev0"
__all__ = [
    "Config",
    "Finding",
    "MkindexError",
    "Note",
    "Rejected",
    "Report",
    "__version__",
    "add_to_index",
    "build_index",
    "check_index",
    "parse_page",
    "remove_from_index",
    "watch_index",
]

_MODULES = {
    "Config": "mkindex.config",
    "Finding": "mkindex.check.findings",
    "MkindexError": "mkindex.errors",
    "Note": "mkindex.errors",
    "Rejected": "mkindex.errors",
    "Report": "mkindex.build.report",
    "add_to_index": "mkindex.api",
    "build_index": "mkindex.api",
    "check_index": "mkindex.api",
    "parse_page": "mkindex.api",
    "remove_from_index": "mkindex.api",
    "watch_index": "mkindex.api",
}

TYPE_CHECKING = False  # like typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from mkindex.api import (
        add_to_index,
        build_index,
        check_index,
        parse_page,
        remove_from_index,
        watch_index,
    )
    from mkindex.build.report import Report
    from mkindex.check.findings import Finding
    from mkindex.config import Config
    from mkindex.errors import MkindexError, Note, Rejected
else:

    def __getattr__(name: str) -> object:
        """Import a name of the public API when it is first used (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the names of the public API."""
    return sorted(__all__)
