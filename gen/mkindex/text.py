"""Text for people: escaping, redaction, plurals, sizes and lists of names."""

import re
from collections.abc import Sequence

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_ADDRESS = re.compile(r"[^:]+://(?:[^/@]*@)?(?:\[[0-9A-Fa-f:.]*\]|[^/:@]*)(?::\d*)?(?:/|$)")
# Characters without width or ink that str.isprintable() lets pass: joiners, fillers and variation selectors (Unicode:
# Default_Ignorable_Code_Point).
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_QUOTED = re.compile(r"""(?<= )(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=[ ,;:]|$)""")


def redact(location: str) -> str:
    """Return a path unchanged, and an address without parts that can be secret: user, password, query, fragment."""
    scheme = _SCHEME.match(location)
    if not scheme:
        return printable(location)
    address = re.split(r"[?#]", location, maxsplit=1)[0]
    if _ADDRESS.match(address):
        return printable(re.sub(r"(?<=://)[^/]*@", "", address))
    # It is not clear which part was meant as a password.
    return f"{scheme[0]}…" if re.search("[:@]", address[scheme.end() :]) else printable(address)


def printable(text: str) -> str:
    """Escape what could control a terminal, break a line, or deceive a reader. Everything that is shown passes here.

    That is control characters (C0, C1), bidirectional and other format characters, undecoded bytes, all white space but
    the space, and what has no width or ink.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if _INVISIBLE.match(c) or not c.isprintable() else c for c in text)


def printable_lines(text: str) -> str:
    """Escape each line of a text."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


def without_quoted(text: str) -> str:
    """Return a text without what it quotes with `repr()`: the same for all texts of a kind."""
    return _QUOTED.sub("'…'", text)


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: "1 file", "2 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_size(size: int) -> str:
    """Return a number of bytes with a decimal unit: "887.9 MB"."""
    if size < 1000:
        return plural(size, "byte")
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:,.1f} {' kMGT'[power]}B"


def and_more(names: Sequence[str], limit: int = 5) -> str:
    """Return the first names and the number of the others: "a, b and 3 more"."""
    others = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {others:,} more" if others > 0 else "")


def displayed(text: str) -> str:
    """Return text of a stranger as a page may show it, in one line.

    Control characters are left out, also those that change the direction of the text around them. Unlike
    `printable()`, this keeps what emoji and many languages are written with.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    return " ".join(text.translate(_HARMLESS).split())


def displayed_lines(text: str) -> str:
    """Return text of a stranger as a page may show it, with its line breaks."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " " * 4).split("\n")
    return "\n".join((line if line.isprintable() else line.translate(_HARMLESS)).rstrip() for line in lines)


_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the direction of text


class _Harmless(dict[int, str]):
    """What `str.translate` puts in the place of each character, by number; filled when it is needed."""

    _MOST = 20_000  # characters that are remembered

    def __missing__(self, number: int) -> str:
        found = _harmless(chr(number))
        if len(self) < self._MOST:
            self[number] = found
        return found


_HARMLESS = _Harmless()


def _harmless(character: str) -> str:
    if character.isspace():
        return " "
    if character in _TURNS:
        return ""
    import unicodedata

    return "" if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co") else character
