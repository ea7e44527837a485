"""Answers of remote sources and outcomes of links, which builds reuse until the sources are polled again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from mkindex.build.examining import examine_all
from mkindex.build.listing import open_sources
from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.errors import Rejected
from mkindex.examine.mirror import in_place
from mkindex.model.files import Artifact, File, Link
from mkindex.sources.open import is_remote
from mkindex.sources.source import Source, SourceItem
from mkindex.web.client import WebClient


@dataclass
class Answers:
    """The last answer of each remote source and link. With `renew`, a build requests all of them again."""

    renew: bool = True
    listings: dict[str, tuple[SourceItem, ...]] = field(default_factory=dict)  # by SOURCE as configured
    outcomes: dict[Link, File | Rejected] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.listings or self.outcomes)

    def open_sources(self, config: Config, web: WebClient, executor: Executor) -> list[Source]:
        """Open all sources, and remember what the remote ones list."""
        sources = open_sources(config, web, executor)
        return [
            Remembered(source, spec, self) if is_remote(spec) else source
            for spec, source in zip(config.inputs, sources, strict=True)
        ]

    def examine(self, artifacts: Sequence[Artifact | Link], work: Workspace) -> Iterator[File | Rejected]:
        """Yield the File of each artifact and link, or its rejection, in their order, and remember those of links."""
        reusable: dict[Link, File | Rejected] = {}
        if not self.renew:
            for link, before in self.outcomes.items():
                if outcome := in_place(before, work.destination):
                    reusable[link] = outcome
        unknown = [artifact for artifact in artifacts if isinstance(artifact, Artifact) or artifact not in reusable]
        examined = iter(examine_all(unknown, work))
        outcomes: dict[Link, File | Rejected] = {}
        for artifact in artifacts:
            if isinstance(artifact, Artifact):
                yield next(examined)
            else:
                outcomes[artifact] = reusable.get(artifact) or next(examined)
                yield outcomes[artifact]
        self.outcomes = outcomes  # not set if a server failed: the earlier outcomes remain


@dataclass(frozen=True)
class Remembered:
    """A remote source that repeats its last answer until `renew` is set."""

    source: Source
    spec: str
    answers: Answers

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the items of the source, or those of its last answer."""
        if self.answers.renew or self.spec not in self.answers.listings:
            self.answers.listings[self.spec] = tuple(self.source.artifacts())
        return iter(self.answers.listings[self.spec])
