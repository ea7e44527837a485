"""What is shown to people: escaping, redaction, plurals and sizes."""

import re


def redact(location: str) -> str:
    """Return a path, or an address without what can be a secret in it: user, password and query."""
    scheme = _SCHEME.match(location)
    if not scheme:
        return printable(location)
    address = re.split(r"[?#]", location, maxsplit=1)[0]
    if _ADDRESS.match(address):
        return printable(re.sub(r"(?<=://)[^/]*@", "", address))
    # Nobody can tell what of it was meant to be a password.
    return f"{scheme[0]}…" if re.search("[:@]", address[scheme.end() :]) else printable(address)


def printable(text: str) -> str:
    """Escape what could drive a terminal or break a line: control characters, bidi marks, lone bytes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


_ADDRESS = re.compile(r"[^:]+://(?:[^/@]*@)?(?:\[[0-9A-Fa-f:.]*\]|[^/:@]*)(?::\d*)?(?:/|$)")


def plural(number: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_size(size: int) -> str:
    """Return a number of bytes in words, with a decimal unit."""
    if size < 1000:
        return plural(size, "byte")
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:,.1f} {' kMGT'[power]}B"
