"""The right to change the pages of an index in a bucket: one object that only one writer can create.

It holds the intent of its writer, which renews it from time to time. If that stops, another writer takes it over and
finishes the intent.
"""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from io import BytesIO
from typing import NamedTuple

from mkindex.errors import DestinationError
from mkindex.stores.objects import ABSENT, Condition, Conflict, Headers, ObjectStore, StoreError
from mkindex.text import printable
from mkindex.tree import intent
from mkindex.tree.manifest import LARGEST, DamagedManifest, Entry, NewerManifest
from mkindex.tree.names import INTENT

HEADERS = Headers("text/plain", "no-store")  # of what only mkindex reads
_FIRST_LINE = re.compile(rb"mkindex claim 1 (held|left) ([0-9a-f]{32}) [0-9]+\n")
_UNKNOWN = '"unknown"'  # an ETag that no object has
SETTLING_TIME = 2.0  # seconds after which all writers see the same claim, without conditional writes
_LONGEST_PAUSE = 2.0  # seconds between two looks at the claim of another writer


class ClaimTimes(NamedTuple):
    """How long the writers of a bucket wait, in seconds."""

    renewal: float = 15.0  # between two renewals of a claim
    lease: float = 60.0  # a claim that is not renewed for this long belongs to a process that died
    patience: float = 600.0  # how long a writer waits for others that are alive


class Claim:
    """The claim of one writer, which a thread renews until `release` or `leave` is called."""

    def __init__(self, store: ObjectStore, times: ClaimTimes, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._store = store
        self._times = times
        self._sleep = sleep
        self._writer = uuid.uuid4().hex
        self._number = 0
        self._entries: bytes = b""
        self._etag = ""  # "": not held
        self._renewed = 0.0  # when the claim was written last, on the monotonic clock
        self._lost = False
        self._writing = threading.Lock()
        self._stopped = threading.Event()
        self._is_inherited = False
        self._is_refused = True  # whether the store refuses writes whose condition does not hold

    @property
    def is_exclusive(self) -> bool:
        """Whether the store has conditional writes. Without them, two writers can have the claim for a moment."""
        return self._is_refused and self._store.is_conditional

    @property
    def is_inherited(self) -> bool:
        """Whether it was that of a writer which died."""
        return self._is_inherited

    @property
    def is_held(self) -> bool:
        return self._etag != ""

    def acquire(self, entries: Iterable[Entry]) -> Sequence[Entry]:
        """Wait until no other writer has the claim, and write the intent. Return that of a writer that died.

        Raises DestinationError if others have it for too long, and StoreError.
        """
        self._entries = b"".join(intent.encode(entries))
        if self.is_held:
            self._renew()
            return ()
        deadline = time.monotonic() + self._times.patience
        pause, seen, since = 0.05, "", 0.0
        while True:
            found = self._store.get(INTENT, most=LARGEST)
            if found is None:
                if self._create():
                    return ()
                continue
            now = time.monotonic()
            if found.etag != seen:
                seen, since = found.etag, now
            if _is_left(found.data) or now - since > self._times.lease:
                theirs = _decode(found.data, self._store.address)
                if self._take_over(seen, theirs):
                    self._is_inherited = True
                    return theirs
            elif now > deadline:
                raise DestinationError(
                    f"another mkindex process has been publishing to {self._store.address} for "
                    f"{self._times.patience:.0f} s. Wait until it has finished, then run again"
                )
            else:
                self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def check(self) -> None:
        """Raise DestinationError if another writer took the claim over, because this one seemed to have died."""
        if time.monotonic() - self._renewed > self._times.renewal:  # this process, or its thread, did not run
            self._renew()
        if self._lost:
            raise DestinationError(
                f"{self._store.address}: another mkindex process took over, because this one did not reach the store "
                "for too long. Run again"
            )

    def release(self) -> None:
        """Delete the claim, after everything in its intent was done or nothing was. Raises as `check` does."""
        self.check()
        self._stopped.set()
        with self._writing:
            if self.is_held and not self._lost:
                self._etag = ""
                self._store.delete([INTENT])

    def leave(self) -> None:
        """Let the next writer take over at once: this one could not finish its intent. Never raises an error."""
        self._stopped.set()
        with self._writing, suppress(StoreError, Conflict):
            if self.is_held and not self._lost:
                self._write(self._etag, "left")
        self._etag = ""

    def _create(self) -> bool:
        try:
            self._etag = self._write(ABSENT)
        except Conflict:
            return False
        return self._settle()

    def _take_over(self, etag: str, theirs: Sequence[Entry]) -> bool:
        self._entries = b"".join(intent.encode([*intent.decode(BytesIO(self._entries)), *theirs]))
        try:
            self._etag = self._write(etag)
        except Conflict:
            return False
        try:
            return self._settle()
        except BaseException:
            self.leave()  # otherwise the intent of the other writer would be lost
            raise

    def _settle(self) -> bool:
        """Tell whether this writer has the claim that it wrote: a store that ignores conditions lets others write it.

        Then the last of several writers has it. Begin to renew it.
        """
        for impossible in ABSENT, _UNKNOWN:
            with suppress(Conflict):
                self._store.put(INTENT, b"", HEADERS, condition=impossible)
                self._is_refused = False
        if not self.is_exclusive:
            self._etag = self._write(None)
            self._sleep(SETTLING_TIME)
            found = self._store.get(INTENT, most=LARGEST)
            if found is None or found.etag != self._etag:
                self._etag = ""
                return False
        self._start_renewing()
        return True

    def _start_renewing(self) -> None:
        self._stopped.clear()
        threading.Thread(target=self._keep, name="claim", daemon=True).start()

    def _keep(self) -> None:
        while not self._stopped.wait(self._times.renewal):
            with suppress(StoreError):  # the next time may be in time
                self._renew()

    def _renew(self) -> None:
        with self._writing:
            if self.is_held and not self._lost:
                try:
                    self._etag = self._write(self._etag if self.is_exclusive else None)
                except Conflict:
                    self._lost = not self._renew_unseen()

    def _renew_unseen(self) -> bool:
        """Renew the claim if its last renewal arrived, although no answer did; tell whether it is still ours."""
        found = self._store.get(INTENT, most=LARGEST)
        first_line = _FIRST_LINE.match(found.data) if found else None
        if found is None or first_line is None or first_line[2] != self._writer.encode():
            return False
        try:
            self._etag = self._write(found.etag)
        except Conflict:
            return False
        return True

    def _write(self, condition: Condition | None, state: str = "held") -> str:
        """Write the claim, never twice with the same bytes: the ETag of S3 is a digest of them."""
        self._number += 1
        first_line = f"mkindex claim 1 {state} {self._writer} {self._number}\n".encode()
        etag = self._store.put(INTENT, first_line + self._entries, HEADERS, condition=condition)
        self._renewed = time.monotonic()
        return etag


def _is_left(claim: bytes) -> bool:
    found = _FIRST_LINE.match(claim)
    return not found or found[1] == b"left"


def _decode(claim: bytes, address: str) -> Sequence[Entry]:
    """Return the entries of the intent in a claim; none if it is damaged. Raises DestinationError."""
    found = _FIRST_LINE.match(claim)
    try:
        return intent.decode(BytesIO(claim[found.end() :])) if found else ()
    except NewerManifest as error:
        raise DestinationError(f"{printable(address)}/{INTENT} {error}: upgrade mkindex") from error
    except DamagedManifest:
        return ()
