"""Reading the body of a response within bounds of bytes and time, decompressing it, and decoding it as text."""

import codecs
import threading
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from mkindex.text import printable
from mkindex.web.responses import RequestFailed
from mkindex.web.transport import Response, TransferBroken

# The encodings of the WHATWG standard, by the names of Python. For ASCII and Latin-1, it means a superset of them.
_CODECS = frozenset(
    [
        *("utf-8", "utf-16", "utf-16-be", "utf-16-le", "ascii", "cp866", "cp874", "koi8-r", "koi8-u", "mac-roman"),
        *(
            "mac-cyrillic",
            "gb2312",
            "gbk",
            "gb18030",
            "big5",
            "big5hkscs",
            "euc_jp",
            "iso2022_jp",
            "shift_jis",
            "cp932",
        ),
        *("euc_kr", "cp949"),
        *(f"cp{number}" for number in range(1250, 1259)),
        *(f"iso8859-{number}" for number in range(1, 17) if number != 12),
    ]
)
_AS_CP1252 = {"ascii": "cp1252", "iso8859-1": "cp1252"}
MAX_PAGE = 256 << 20  # bytes of a page, decompressed; the root page of the public index has about 40 MB
_MAX_WIDE = 64 << 20  # bytes of a page that is not ASCII: as text, each may take four
LEAST_PROGRESS = 1000  # bytes that must arrive within the timeout, or the body is given up


class Patience(NamedTuple):
    """How long to wait for a server."""

    timeout: float  # seconds without progress
    stopped: threading.Event  # set when nothing is to be awaited any more


def read_chunks(response: Response, url: str, patience: Patience) -> Iterator[bytes]:
    """Yield a body as it was sent. Raises TransferBroken; RequestFailed if it is too slow, or reading is stopped."""
    since, received = time.monotonic(), 0
    while chunk := response.read():
        received += len(chunk)
        elapsed = time.monotonic() - since
        if patience.stopped.is_set():
            raise RequestFailed(url, "stopped")
        if elapsed > patience.timeout:
            if received < LEAST_PROGRESS:
                raise RequestFailed(url, f"too slow: {received:,} bytes in {elapsed:.0f} s. Try again later")
            since, received = time.monotonic(), 0
        yield chunk


def read_page(response: Response, url: str, patience: Patience, *, most: int) -> bytearray:
    """Return the body of a page, decompressed. Raises RequestFailed, also for more than `most` bytes.

    A body that ends within compressed data raises TransferBroken: an HTTP library would pass it on as complete.
    """
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise RequestFailed(url, f"unsupported Content-Encoding: {printable(encoding)}")
    # 32: the header tells whether it is gzip or zlib.
    inflater = None if encoding == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    body = bytearray()
    try:
        for chunk in read_chunks(response, url, patience):
            body += inflater.decompress(chunk, most + 1) if inflater else chunk
            if len(body) > most:
                raise RequestFailed(url, f"a page of more than {most >> 20} MiB, the limit of mkindex")
    except zlib.error as error:
        raise RequestFailed(url, "not compressed as its Content-Encoding says, or damaged") from error
    if len(body) > _MAX_WIDE and not body.isascii():
        raise RequestFailed(url, f"a page of more than {_MAX_WIDE >> 20} MiB that is not ASCII, the limit of mkindex")
    if inflater and not inflater.eof:
        raise TransferBroken("compressed data is cut off")
    if inflater and inflater.unused_data:
        raise RequestFailed(url, "data after the end of the compressed page, which some clients read and others ignore")
    return body


def decode_page(body: bytes | bytearray, content_type: str) -> str:
    """Return the text of a page: in the charset of its Content-Type, or else in UTF-8. A byte order mark is dropped."""
    text = body.decode(_codec(content_type), "replace")
    return text.removeprefix("\ufeff")


def _codec(content_type: str) -> str:
    """Return the codec of the charset of a Content-Type; UTF-8 without one that browsers know.

    Python has others, some of which take time quadratic in the size of the text.
    """
    try:
        name = codecs.lookup(_charset(content_type) or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return _AS_CP1252.get(name, name) if name in _CODECS else "utf-8"


def _charset(content_type: str) -> str:
    charset = ""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip(" \"'").lower() == "charset":
            charset = value.strip(" \"'")
    return charset
