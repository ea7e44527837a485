"""The public Python API: what the commands do, as functions. docs/api.md has examples.

Nothing is printed. Paths may be `str` or `os.PathLike`. Errors are `MkindexError` or one of its subclasses, which
`mkindex.errors` defines: `ConfigError` for options that cannot be used, `SourceError` for a source or an index that
cannot be read, `DestinationError` for a destination that cannot be written, `NotPublished` if nothing was published
because of the files that were found (see its `findings`), `TemplateError` for a template that cannot be rendered.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

from mkindex.config import Config
from mkindex.errors import ConfigError, MkindexError, SourceError
from mkindex.text import redact

if TYPE_CHECKING:
    from mkindex.build.report import Report
    from mkindex.check.engine import CheckReport
    from mkindex.simple.reader import Page
    from mkindex.watch.loop import BuildEvent, Watch

PathOrUrl = str | os.PathLike[str]


def build_index(
    sources: PathOrUrl | Iterable[PathOrUrl],
    destination: PathOrUrl,
    **options: Any,  # noqa: ANN401 (the fields of Config, which checks them)
) -> "Report":
    """Make `destination` the index of exactly these sources, as `mkindex SOURCE... DEST` does.

    `options` are the fields of `Config`, such as `strict=True`. There is no cache without `cache_dir`.

    Returns a Report: `files` that the index lists, `rejected` files, `notes`, and the numbers of paths `written` and
    `removed`. Raises MkindexError if the index cannot be made; the destination is then as it was.
    """
    from mkindex.build.pipeline import build

    if options.get("watch") or options.get("serve"):
        raise ConfigError("build_index builds once: watch with watch_index, and serve with `mkindex serve`")
    return build(_config(sources, destination, options))


def add_to_index(
    sources: PathOrUrl | Iterable[PathOrUrl],
    destination: PathOrUrl,
    *,
    replace: bool = False,
    consume: bool = False,
    first: bool = False,
    **options: Any,  # noqa: ANN401 (the fields of Config, which checks them)
) -> "Report":
    """Add what the sources have to the index in `destination`, and keep all that it lists, as `mkindex add` does.

    Options that shape the tree, such as `links`, stay as they were if they are not given. With `previous`, the index to
    keep is the one at that address, and `first` accepts that nothing is published there yet. `replace` replaces files
    of the same name with other contents; `consume` deletes files from the sources once they are published.

    Returns a Report; `added` has the filenames that are new. Raises MkindexError as `build_index` does.
    """
    from mkindex.build.growing import Growth
    from mkindex.build.pipeline import build

    _refuse(options, "add_to_index", ("watch", "serve", "prune", "allow_empty"))
    growth = Growth(given=frozenset(options), first=first, replace=replace, consume=consume)
    return build(_config(sources, destination, options), growth=growth)


def remove_from_index(
    destination: PathOrUrl,
    requests: str | Iterable[str],
    **options: Any,  # noqa: ANN401 (the fields of Config, which checks them)
) -> "Report":
    """Take releases or files out of the index in `destination`, as `mkindex remove` does.

    A request is a requirement, such as `demo==1.0`, or a pattern for filenames. Options are those of the command.

    Returns a Report; `removed_files` has the filenames that are not listed any more. Raises NotPublished if a request
    matches nothing.
    """
    from mkindex.build.growing import removal_of
    from mkindex.build.pipeline import build
    from mkindex.build.requesting import find_requested
    from mkindex.config.growth_options import EDIT_OPTIONS
    from mkindex.sources.requested import parse_request

    _refuse(options, "remove_from_index", options.keys() - {one.name for one in EDIT_OPTIONS})
    config = Config(sources=(), destination=os.fspath(destination), **_plain(options))
    asked = [requests] if isinstance(requests, str) else requests
    files = find_requested(config, [parse_request(text) for text in asked])
    # The user named the files, so neither their share of the index nor an empty index is a surprise.
    config = config.replace(prune=True, allow_empty=True)
    return build(config, growth=removal_of(files, frozenset(options)))


def check_index(
    target: PathOrUrl,
    **options: Any,  # noqa: ANN401 (the fields of CheckOptions, which checks them)
) -> "CheckReport":
    """Check the index in a directory or at a URL, made by any tool, as `mkindex check` does.

    `options` are those of the command, with lists for options that may be repeated: `files="deep"`, `project=["demo"]`.

    Returns a CheckReport. Each of its `findings` has the `rule`, the `page` and the `file` concerned, a `text`, and the
    `fix`. Raises MkindexError if the index cannot be read.
    """
    from mkindex.check.engine import CheckOptions, check

    return check(CheckOptions(target=os.fspath(target), **_plain(options)))


def parse_page(text: str, *, url: str, media_type: str | None = None) -> "Page":
    """Read a page of the Simple API, a find-links page or a directory listing, in HTML or JSON.

    `url` is the address of the page, from which relative links are resolved. `media_type` is the Content-Type that it
    was sent with; without one, a text that begins with `{` is JSON.

    Returns a Page with the `links` to wheels and sdists, the `rejected` links that are not valid, the `directories` one
    level below, and the `projects` that the page names if it is the root of an index. Raises SourceError if the page is
    malformed or cut off.
    """
    from mkindex.simple.reader import Malformed, parse_html, parse_json

    is_json = text.lstrip("\ufeff \t\r\n").startswith("{") if media_type is None else "json" in media_type.lower()
    try:
        return (parse_json if is_json else parse_html)(text, url)
    except Malformed as error:
        raise SourceError(f"{redact(url)} {error}") from error


@contextmanager
def watch_index(
    sources: PathOrUrl | Iterable[PathOrUrl],
    destination: PathOrUrl,
    **options: Any,  # noqa: ANN401 (the fields of Config, which checks them)
) -> Iterator[Iterator["BuildEvent | MkindexError | str"]]:
    """Build in a background thread whenever a source changes, until the `with` block ends.

    `options` are those of `build_index`. The block gets an iterator that waits for events: a BuildEvent for each build,
    with the filenames that were `added`, `replaced` and `removed`; a MkindexError for a build that failed and will be
    tried again; and notes as text. The iterator raises MkindexError if the first build cannot be done.

    When the block ends, also with an exception, a build that is being published is finished, and the thread ends.
    """
    if options.get("serve"):
        raise ConfigError("watch_index does not serve: use `mkindex serve`")
    config = _config(sources, destination, {**options, "watch": True})
    events = _Events()
    stopping = Event()

    def on_event(event: "BuildEvent | MkindexError | str") -> None:
        if stopping.is_set():
            raise _Stopped
        events.put(event)

    def read_config() -> tuple[Config, None]:  # called only after the reload below
        raise _Stopped

    watch = _make_watch(config, on_event, read_config)

    def run() -> None:
        try:
            watch.run()
        except _Stopped:
            events.put(_End(None))
        except BaseException as error:
            events.put(_End(error))

    thread = Thread(target=run, name="mkindex-watch", daemon=True)
    thread.start()
    try:
        yield events
    finally:
        stopping.set()
        watch.reload()
        thread.join()
    events.raise_error()  # if the block did not wait for it


class _Stopped(BaseException):
    """Ends the loop of a watch. Not an Exception, so that nothing takes it for a failed build."""


@dataclasses.dataclass(frozen=True, slots=True)
class _End:
    """The last item in the queue of events."""

    error: BaseException | None


def _make_watch(
    config: Config, on_event: "Callable[[Any], None]", read_config: Callable[[], tuple[Config, None]]
) -> "Watch":
    from mkindex.watch.loop import Watch

    return Watch(config, on_event=on_event, read_config=read_config)


class _Events:
    """An iterator that waits for the next event of the thread, and ends with it."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[BuildEvent | MkindexError | str | _End] = SimpleQueue()
        self._raised = False

    def put(self, event: "BuildEvent | MkindexError | str | _End") -> None:
        self._queue.put(event)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> "BuildEvent | MkindexError | str":
        event = self._queue.get()
        if not isinstance(event, _End):
            return event
        self._queue.put(event)  # for the next call
        if event.error and not self._raised:
            self._raised = True
            raise event.error
        raise StopIteration

    def raise_error(self) -> None:
        """Once the thread has ended: raise the error that ended it, unless the iterator has raised it."""
        events = [self._queue.get() for _ in range(self._queue.qsize())]
        for event in events:
            self._queue.put(event)
        last = events[-1]
        if isinstance(last, _End) and last.error and not self._raised:
            self._raised = True
            raise last.error


def _refuse(options: dict[str, Any], function: str, names: Iterable[str]) -> None:
    """Raise ConfigError for an option that a function does not have."""
    for name in names:
        if options.get(name):
            raise ConfigError(f"{function} has no option {name}")


def _config(sources: PathOrUrl | Iterable[PathOrUrl], destination: PathOrUrl, options: dict[str, Any]) -> Config:
    """Return a Config. A single source need not be in a list. Raises ConfigError."""
    several = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    if not several:
        raise ConfigError("give at least one source")
    return Config(
        sources=tuple(os.fspath(source) for source in several), destination=os.fspath(destination), **_plain(options)
    )


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with paths as strings and sequences as tuples, as the dataclasses hold them."""
    return {
        name: tuple(value)
        if isinstance(value, (list, set))
        else os.fspath(value)
        if isinstance(value, os.PathLike)
        else value
        for name, value in options.items()
    }
