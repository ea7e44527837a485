"""Read the head of a request strictly.

If a proxy and this server saw different requests in the same bytes, a client could use that (request smuggling).
"""

import re
from http import HTTPStatus
from io import BufferedIOBase

_MAX_SIZE = 1 << 16  # bytes, with all lines
_MAX_LINES = 100
REQUEST_LINE = re.compile(rb"\S+ [^\r\n]+ HTTP/[^\r\n]*\r\n")
# RFC 9112, section 5: no space before the colon, no continued line, no bare CR or LF.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)\r\n")


class BadHead(Exception):
    """A head that is not a valid one. `status` is None if the client has left before its end."""

    def __init__(self, status: HTTPStatus | None) -> None:
        super().__init__(status)
        self.status = status


def read_head(stream: BufferedIOBase) -> bytes:
    """Read the fields of a request, and the empty line after them. Raises BadHead.

    A request has at most one Content-Length, which is a number, and none beside a Transfer-Encoding (RFC 9112,
    section 6.3).
    """
    head, lengths, is_encoded = b"", 0, False
    for count in range(_MAX_LINES + 1):
        line = stream.readline(_MAX_SIZE + 1)
        head += line
        if len(head) > _MAX_SIZE or count == _MAX_LINES:
            raise BadHead(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not line.endswith(b"\n"):
            raise BadHead(None)
        if line == b"\r\n":
            break
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadHead(HTTPStatus.BAD_REQUEST)
        name, value = field[1].lower(), field[2].strip()
        if name == b"content-length":
            lengths += 1 if value.isdigit() else 2
        is_encoded |= name == b"transfer-encoding"
    if lengths > (0 if is_encoded else 1):
        raise BadHead(HTTPStatus.BAD_REQUEST)
    return head
