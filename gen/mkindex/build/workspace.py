"""The tools of a build: the locked destination, the cache, connections and threads."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mkindex.cache import Cache
from mkindex.config import Config
from mkindex.errors import Note
from mkindex.hosts.addresses import parse_cluster
from mkindex.hosts.buckets import is_bucket
from mkindex.parallel import Threads
from mkindex.progress import Progress
from mkindex.publish.directory import DirectoryDestination
from mkindex.publish.ownership import TrustedManifest
from mkindex.web.client import WebClient

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mkindex.publish.bucket import BucketDestination
    from mkindex.workers.seam import Workers

# Requests at a time without --jobs; web/throttle.py decides how many of them one host gets.
_REQUESTS = 50


class Workspace(NamedTuple):
    """The tools of a build, which is the only writer of its destination."""

    config: Config
    destination: "DirectoryDestination | BucketDestination"
    cache: Cache
    web: WebClient
    executor: "Executor"  # threads that read files of this machine
    connections: "Executor"  # threads that wait for servers
    progress: Progress
    announce: Callable[[Note], object]  # called before many bytes are read from servers
    workers: "Workers | None" = None  # processes that examine files, with an --engine of them


@contextmanager
def open_workspace(
    config: Config, trusted: TrustedManifest | None, progress: Progress, announce: Callable[[Note], object]
) -> Iterator[Workspace]:
    """Lock the destination, and open cache, connections and threads."""
    with ExitStack() as stack:
        executor = _executor(stack, processes(config))
        connections = _executor(stack, config.jobs or _REQUESTS)
        destination = _destination(config, executor, connections, trusted, progress)
        if not config.dry_run:
            stack.enter_context(destination)
        directory = Path(config.cache_dir) if config.cache_dir else None
        cache = stack.enter_context(Cache(directory, remember=not config.dry_run))
        web = WebClient(cache, timeout=config.timeout, trusted=config.named_hosts)
        stack.callback(web.close)
        yield Workspace(
            config=config,
            destination=destination,
            cache=cache,
            web=web,
            executor=executor,
            connections=connections,
            progress=progress,
            announce=announce,
            workers=stack.enter_context(open_workers(config)) if config.engine else None,
        )


def _destination(
    config: Config, executor: "Executor", connections: "Executor", trusted: TrustedManifest | None, progress: Progress
) -> "DirectoryDestination | BucketDestination":
    if is_bucket(config.destination):
        from mkindex.publish.bucket import BucketDestination
        from mkindex.publish.origins import Origins
        from mkindex.stores.open import open_bucket

        open_store = partial(open_bucket, options=config.store_option, timeout=config.timeout)
        store = open_store(config.destination)
        origins = Origins(open_store)
        return BucketDestination(store, executor=connections, readers=executor, origins=origins, progress=progress)
    return DirectoryDestination(
        config.destination,
        executor=executor,
        hardlink=config.link_mode == "hardlink",
        processes=processes(config),
        trusted=trusted,
    )


def _executor(stack: ExitStack, threads: int) -> "Executor":
    """Return an executor that starts threads when they are needed and does not wait for them at the end."""
    executor = Threads(threads)
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    return executor


@contextmanager
def open_workers(config: Config) -> "Iterator[Workers | None]":
    """Yield the processes of --engine, None if it has only threads. They start when there is work."""
    from mkindex.workers.open import NewWorkers  # here, since most builds have none

    cluster = parse_cluster(config.engine or "")
    if not cluster and config.engine != "processes":
        yield None
        return
    workers = NewWorkers(cluster, processes(config), timeout=config.timeout)
    try:
        yield workers
    finally:
        workers.close()


def processes(config: Config) -> int:
    """Return --jobs, or the number of cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return config.jobs or cores
