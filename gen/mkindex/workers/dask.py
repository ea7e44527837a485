"""The workers of a Dask cluster. Its scheduler decides which of them does what, and repeats the work of lost ones."""

import logging
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, Queue
from ssl import SSLError
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from mkindex import __version__
from mkindex.errors import ConfigError, MkindexError
from mkindex.text import plural, printable
from mkindex.workers.seam import in_order

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4  # items for each thread of a worker
_CHECK = 5.0  # seconds between looks at the cluster while it works
_PATIENCE = 60.0  # seconds that the cluster may be without a worker


class DaskWorkers:
    """The workers of the cluster whose scheduler is at an address, HOST:PORT or tls://HOST:PORT."""

    share_environment = False

    def __init__(self, address: str, *, timeout: float) -> None:
        self._address = address
        self._client = _connect(address, timeout)
        try:
            self._require_same_version()
        except BaseException:
            self.close()
            raise
        # Two builds may examine the same file at different times.
        self._executor = self._client.get_executor(pure=False)
        self._last_seen = time.monotonic()

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield the result of `work` for each item, in order."""
        with self._errors():
            threads = sum(self._client.nthreads().values())
        submit = partial(self._executor.submit, perform, __version__, work)
        # As bytes: the scheduler would unpickle items, and may have no credentials for the buckets that they open.
        pickled = map(pickle.dumps, items)
        return in_order(submit, pickled, ahead=_AHEAD * max(1, threads), wait=self._result)

    def ask_each(self, question: Callable[[T], R], about: T) -> dict[str, R]:
        """Return what each worker answers now, by its address."""
        with self._errors():
            answers: dict[str, R] = self._client.run(question, about)
            return answers

    def close(self) -> None:
        """Leave the cluster. What it still does for this process is cancelled."""
        with suppress(Exception):
            self._client.close()

    def _require_same_version(self) -> None:
        """Raise MkindexError if there are no workers, or one has not this version of mkindex."""
        with self._errors():
            versions = self._client.get_versions(packages=["mkindex"])
        workers = {name: found["packages"].get("mkindex") for name, found in sorted(versions["workers"].items())}
        if not workers:
            raise MkindexError(
                f"the Dask cluster at {printable(self._address)} has no workers. Start some: dask worker "
                f"{printable(self._address)}"
            )
        own = versions["client"]["packages"]["mkindex"]
        if wrong := {name: version for name, version in workers.items() if version != own}:
            name, version = next(iter(wrong.items()))
            what = f"mkindex {printable(version)}, not {own}" if version else f"no mkindex {own}"
            raise MkindexError(
                f"{plural(len(wrong), 'worker')} of {len(workers)} cannot examine files: {name} has {what}. Install "
                f"mkindex=={own} there, and start the worker again"
            )

    def _result(self, future: Future[R]) -> R:
        """Return one result, and look from time to time whether there is anybody to wait for."""
        with self._errors():
            while True:
                try:
                    return future.result(timeout=_CHECK)
                except TimeoutError:
                    if future.done():  # the work raised it
                        raise
                if self._client.status != "running":
                    raise CancelledError
                if self._client.nthreads():
                    self._last_seen = time.monotonic()
                elif time.monotonic() - self._last_seen > _PATIENCE:
                    raise MkindexError(
                        f"the Dask cluster at {printable(self._address)} has lost all its workers. Start some, and run "
                        "again"
                    )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise MkindexError for what goes wrong with the cluster."""
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        try:
            yield
        except KilledWorker as error:
            workers = plural(error.allowed_failures + 1, "worker")
            raise MkindexError(
                f"{workers} of the Dask cluster ended while they examined the same files (out of memory?). Give "
                "workers more memory, and run again"
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise MkindexError(
                f"the connection to the Dask scheduler at {printable(self._address)} was lost. Run again when it is "
                "there"
            ) from error
        except ModuleNotFoundError as error:
            raise MkindexError(f"a worker of the Dask cluster has no module {error.name}. Install it there") from error


def _connect(address: str, timeout: float) -> "Client":
    """Return a client of the scheduler at an address. Raises ConfigError without the library, and MkindexError."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError("--engine dask://… requires more packages: pip install 'mkindex[dask]'") from error
    # The program says itself what is wrong.
    for name in "distributed", "distributed.client":  # which has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    opened: Queue[Client | Exception] = Queue()

    def open_client() -> None:
        try:
            opened.put(Client(address, timeout=timeout, set_as_default=False, name="mkindex"))
        except Exception as error:
            opened.put(error)

    # In a thread of its own, because a server that is no scheduler may never end the handshake.
    Thread(target=open_client, daemon=True).start()
    try:
        client = opened.get(timeout=timeout + _CHECK)
    except Empty:
        client = TimeoutError()
    if not isinstance(client, Exception):
        return client
    raise _connection_error(address, client) from client


def _connection_error(address: str, error: Exception) -> MkindexError:
    """Return what to do if a client cannot be connected: give another address, or the settings of TLS."""
    from distributed.comm.core import FatalCommClosedError

    why = error.__cause__ if isinstance(error.__cause__, SSLError) else error
    # How the library reports missing and wrong settings, certificates and keys.
    if isinstance(why, (FatalCommClosedError, FileNotFoundError, RuntimeError, TypeError, ValueError, SSLError)):
        return MkindexError(
            f"no TLS connection to the Dask scheduler at {printable(address)} ({printable(str(why))}). Give its "
            "address as tls://HOST:PORT, and ca-file, client.cert and client.key below distributed.comm.tls in the "
            "Dask configuration"
        )
    return MkindexError(
        f"no Dask scheduler answers at {printable(address)}. Give the address that `dask scheduler` prints, which is "
        "not that of its dashboard"
    )


def perform(version: str, work: Callable[[T], R], pickled: bytes) -> R:
    """Do one item of work, on a worker that may have joined the others after they were checked."""
    if version != __version__:
        raise MkindexError(f"a worker has mkindex {__version__}, not {version}. Install mkindex=={version} there")
    try:
        return work(pickle.loads(pickled))  # noqa: S301 (a scheduler runs any code anyway)
    except ConfigError as error:  # of its environment, not of the options here
        raise MkindexError(f"a worker of the Dask cluster: {error}") from error
