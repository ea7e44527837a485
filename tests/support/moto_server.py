"""Run moto's server, one request at a time. With moto's Python, which has nothing of mkindex: it imports only moto.

moto checks the condition of a write before it writes, without a lock: of two writes at the same moment, both succeed.
S3 does not do that.
"""

import threading
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app  # type: ignore[import-not-found]
from werkzeug.serving import run_simple  # type: ignore[import-not-found]

_ONE = threading.Lock()
_application = DomainDispatcherApplication(create_backend_app)


def serve_one(environment: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 (WSGI)
    """Answer a request after all others have been answered."""
    with _ONE:
        return list(_application(environment, start_response))


if __name__ == "__main__":
    run_simple("127.0.0.1", 0, serve_one, threaded=True, request_handler=MotoRequestHandler)
