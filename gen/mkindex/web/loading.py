"""Loading the HTTP library in a thread that lives as long as the process.

Its allocator, mimalloc 3.3, takes the thread that loads it for the one that never ends. When that thread has ended, the
next one with the same identity crashes the process (microsoft/mimalloc#1287).
"""

import importlib
import sys
import threading

_LIBRARY = "pyreqwest.client"


def load_library() -> None:
    """Load the library, in this thread only if it is the main one. Raises ImportError."""
    if _LIBRARY in sys.modules:
        return
    if threading.current_thread() is threading.main_thread():
        importlib.import_module(_LIBRARY)
        return
    loaded = threading.Event()
    errors: list[ImportError] = []

    def load() -> None:
        try:
            importlib.import_module(_LIBRARY)
        except ImportError as error:
            errors.append(error)
        loaded.set()
        threading.Event().wait()

    threading.Thread(target=load, name="mkindex-web", daemon=True).start()
    loaded.wait()
    if errors:
        raise errors[0]
