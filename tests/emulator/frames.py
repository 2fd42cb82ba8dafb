# SPDX-License-Identifier: Apache-2.0
"""frames - upstream SSE events as bytes, as the service writes them.

A frame is four lines and a blank one, LF only, no space after a colon
(protocol page, section 4.1). A Style holds the ways in which a scenario may
differ from that.
"""
import json


class Style:
    """How a frame is written; the defaults are the service's own."""

    FIELDS = {"eol": "\n", "space": False, "blank": True, "status": True,
              "id": True, "name": True, "comment": None}

    def __init__(self, options=None):
        self.__dict__.update(self.FIELDS)
        self.change(options or {})

    def change(self, options):
        unknown = set(options) - set(self.FIELDS)
        if unknown:
            raise ValueError("unknown style: " + ", ".join(sorted(unknown)))
        self.__dict__.update(options)


def dumps(value):
    """JSON as the service writes it: no spaces, raw UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def frame(number, data, name="result", status=200, style=Style()):
    """One event; data is a str that goes out as it is."""
    gap = " " if style.space else ""
    lines = []
    if style.comment is not None:
        lines.append(":" + style.comment)
    if style.id and number is not None:
        lines.append("id:%s%s" % (gap, number))
    if style.name and name is not None:
        lines.append("event:%s%s" % (gap, name))
    if style.status and status is not None:
        lines.append(":HTTP_STATUS/%d" % status)
    lines.append("data:%s%s" % (gap, data))
    if style.blank:
        lines.append("")
    return (style.eol.join(lines) + style.eol).encode("utf-8", "surrogatepass")
