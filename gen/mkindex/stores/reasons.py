"""Describe the long error texts of store libraries in one sentence."""

import re

from mkindex.text import printable

_CODE = re.compile(r"<Code>(\w+)</Code>|\((\w+)\) when calling")
_STATUS = re.compile(r"status code: (\d{3})")
_NO_ANSWER = re.compile("error sending request|operation timed out|Could not connect|(?:Connect|Read) timeout")
_DENIED = "Check the credentials and what they permit"
_REGION = "the bucket is in another region: set AWS_REGION, or --store-option region=…"
_MEANINGS = {
    "NoSuchBucket": "the bucket does not exist: create it first",
    "ContainerNotFound": "the container does not exist: create it first",
    "AccessDenied": f"access denied. {_DENIED}",
    "AuthorizationFailure": f"access denied. {_DENIED}",
    "InvalidAccessKeyId": f"the access key is unknown. {_DENIED}",
    "SignatureDoesNotMatch": f"the secret key is wrong. {_DENIED}",
    "ExpiredToken": "the credentials have expired. Renew them",
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
}


def describe(text: str) -> str:
    """Return why a store failed, from the text of a library's error."""
    found = _CODE.search(text)
    code = (found[1] or found[2]) if found else ""
    if code in _MEANINGS:
        return _MEANINGS[code]
    status = _STATUS.search(text)
    if status and status[1] in ("401", "403"):
        return f"access denied ({status[1]}{f' {code}' if code else ''}). {_DENIED}"
    if code or status:
        return f"the store answered {' '.join(filter(None, [status[1] if status else '', code]))}"
    line = text.partition("\n")[0]
    if no_answer := _NO_ANSWER.search(line):
        return f"the store does not answer ({no_answer[0]}). Check the endpoint and the network"
    return printable(line)
