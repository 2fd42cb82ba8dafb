# SPDX-License-Identifier: Apache-2.0
"""canary - secrets that are planted, and every form they could leak in (I5)."""
import base64
import urllib.parse

API_KEY = "sk-canary7f3a9c1e5b2d4068"
PASSWORD = "canary-password-83d1"
PROMPT = "紫砂壶里的金丝雀怎么唱歌？"
PROMPT_WORDS = "金丝雀怎么唱歌"
ANSWER_WORDS = ("适合用80℃", "左右的水冲泡", "水太烫会让茶汤发苦")


def forms(text):
    """The text itself, hex, base64, URL-encoded, JSON-escaped."""
    raw = text.encode("utf-8")
    escaped = text.encode("unicode_escape")
    found = {raw, raw.hex().encode(), escaped,
             urllib.parse.quote(text).encode()}
    for shift in range(3):
        # Base64 looks different at each offset of the text in what is coded.
        coded = base64.b64encode(b"x" * shift + raw)
        found.add(coded[4:-4] if shift else coded[:-4])
    return {form for form in found if len(form) >= 8}


def secrets():
    """[(label, bytes)] for the search in logs."""
    found = [("part of the API key", API_KEY[i:i + 12].encode())
             for i in range(3, len(API_KEY) - 11)]
    for label, text in (("the API key", API_KEY), ("the password", PASSWORD),
                        ("the prompt", PROMPT_WORDS)):
        found += [(label, form) for form in forms(text)]
    for words in ANSWER_WORDS:
        found += [("the answer", form) for form in forms(words)]
    return found


SECRETS = secrets()
