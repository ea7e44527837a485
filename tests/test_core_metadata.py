"""Full core metadata: no field is lost that pkginfo or packaging read, and nothing in it does harm."""

from __future__ import annotations

import pytest

from mkindex.distributions.core_metadata import Readme, read_details, read_readme
from mkindex.errors import Unreadable
from mkindex.model.details import Details, decode_details, encode_details
from support.wheels import metadata

WHOLE = Details(
    name="Demo.App",
    summary="An example",
    license_expression="MIT OR Apache-2.0",
    author="Ada",
    author_email="Ada <ada@example.com>",
    maintainer="Bob",
    maintainer_email="bob@example.com",
    requires_python=">=3.9",
    has_readme=True,
    keywords=("one", "two words"),
    classifiers=("Topic :: Games", "Typing :: Typed"),
    urls=(("Home-Page", "https://demo.example/"), ("Docs", "https://docs.example/, really"), ("", "no label")),
    requires=("demo>=1", 'other; extra == "x"'),
    extras=("x",),
    import_names=("demo_app", "demo_names"),
    others=(
        *(("Platform", "any"), ("Requires-External", "C")),
        *(("Description-Content-Type", "text/markdown; variant=GFM"), ("Dynamic", "version")),
        ("License-File", "LICENSE"),
    ),
)
HEADERS = """\
Summary: An example
License-Expression: MIT OR Apache-2.0
Author: Ada
Author-email: Ada <ada@example.com>
Maintainer: Bob
Maintainer-email: bob@example.com
Requires-Python: >=3.9
Description-Content-Type: text/markdown;
 variant=GFM
Keywords: one, two words
Classifier: Topic :: Games
Classifier: Typing :: Typed
Classifier: Typing :: Typed
Home-page: https://demo.example/
Project-URL: Docs, https://docs.example/, really
Project-URL: no label
Requires-Dist: demo>=1
Requires-Dist: other; extra == "x"
Provides-Extra: x
Import-Name: demo_app
Import-Namespace: demo_names
Platform: any
Requires-External: C
License-File: LICENSE
Dynamic: version
Download-URL: UNKNOWN""".splitlines()


@pytest.mark.parametrize("version", ["1.0", "2.0", "2.5", "2.9", "9.0", "none"])
def test_all_fields_are_read_whatever_metadata_version_says(version: str) -> None:
    raw = metadata("Demo.App", "1.0", metadata_version=version, headers=HEADERS, body="# Demo\n")
    details = read_details(raw)
    assert details == WHOLE._replace(others=(*WHOLE.others, ("Metadata-Version", version)))
    assert decode_details(encode_details(details)) == details
    assert read_readme(raw) == Readme("# Demo", "text/markdown; variant=GFM")


def test_a_file_that_cannot_be_read_has_no_details() -> None:
    assert decode_details(encode_details(None)) is None


def test_a_description_in_the_header_loses_its_margin() -> None:
    raw = metadata("demo", "1.0", headers=["Description: First", "        Second", "        ", "          indented"])
    assert read_readme(raw).text == "First\nSecond\n\n  indented"


@pytest.mark.parametrize("body", ["", "UNKNOWN", "\n\nUNKNOWN\n\n"])
def test_unknown_is_no_description(body: str) -> None:
    raw = metadata("demo", "1.0", summary="UNKNOWN", headers=["Platform: UNKNOWN"], body=body)
    assert (read_details(raw), read_readme(raw).text) == (
        Details(name="demo", others=(("Metadata-Version", "2.1"),)),
        "",
    )


def test_a_field_of_e_mail_does_not_make_the_description_an_attachment() -> None:
    headers = ["Content-Type: multipart/mixed; boundary=x", "Content-Transfer-Encoding: base64"]
    raw = metadata("demo", "1.0", headers=headers, body="--x\n\ntext\n--x--\n")
    assert (read_details(raw).has_readme, read_readme(raw).text) == (True, "--x\n\ntext\n--x--")


def test_text_in_an_old_encoding_is_read() -> None:
    raw = metadata("demo", "1.0", summary="caf?", body="th?\n").replace(b"?", b"\xe9")
    assert (read_details(raw).summary, read_readme(raw).text) == ("café", "thé")


def test_too_many_header_lines_are_refused() -> None:
    with pytest.raises(Unreadable, match="10,000 header lines"):
        read_details(metadata("demo", "1.0", headers=[f"X-{number}: 1" for number in range(10_001)]))


def test_what_turns_text_is_left_out_and_what_emoji_are_made_of_stays() -> None:
    raw = metadata("demo", "1.0", summary="\u202eabc\u202c\x07 👩\u200d💻 ❤\ufe0f \u2067x")
    assert read_details(raw).summary == "abc 👩\u200d💻 ❤\ufe0f x"


# --- real files -----------------------------------------------------------------------------------------------------
