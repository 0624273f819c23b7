"""What a page shows by its style alone -> text: lists whose items stand apart, ticked boxes, labels side by side."""

from __future__ import annotations

import re
from itertools import takewhile

from bs4.element import NavigableString, Tag

_LISTS = ["ul", "ol"]
_LEVEL = re.compile(r"lst-kix_\w+-(\d)")
"""Google's class of a list in a list, which is its sibling."""
_TICK = re.compile(r"^checkbox-(?:on|off|checked|unchecked)$")
_TASKS = re.compile(r"(?:^|-)(?:task|todo|to-do)-?list$")
_LABEL = re.compile(r"(?:^|-)(?:tag|label|badge|chip|pill|lozenge|selected-value|meta-data)$")


def join_lists(body: Tag) -> None:
    """Join each list with the one before it that it goes on; a deeper one becomes a part of its last item."""
    for part in body(_LISTS):
        spaces = list(takewhile(_is_space, part.previous_siblings))
        before = spaces[-1].previous_sibling if spaces else part.previous_sibling
        if isinstance(before, Tag) and before.name in _LISTS:
            for space in spaces:
                space.extract()
            _join(part, before)


def _is_space(element: object) -> bool:
    return isinstance(element, NavigableString) and not element.strip()


def _join(part: Tag, before: Tag) -> None:
    host = before
    while _level(part) > _level(host):
        if not (items := host("li", recursive=False)):
            return
        inner = items[-1](_LISTS, recursive=False)
        if not inner or _level(inner[-1]) > _level(part):
            items[-1].append(part)
            return
        host = inner[-1]
    names = _names(part)  # without one, a list may be in another box
    if names and names == _names(host) and part.name == host.name and _goes_on(part, host):
        host.extend(part("li", recursive=False))
        part.decompose()
    elif host is not before:
        host.insert_after(part)


def _level(part: Tag) -> int:
    return max((int(level) for name in _names(part) for level in _LEVEL.findall(name)), default=0)


def _names(part: Tag) -> set[str]:
    return {str(name) for name in part.get_attribute_list("class") if name} - {"start"}


def _goes_on(part: Tag, host: Tag) -> bool:
    """Return whether a list has bullets, or the numbers that follow."""
    if part.name == "ul":
        return True
    number = str(host.get("start", "1"))
    next_one = int(number) + len(host("li", recursive=False)) if re.fullmatch("[0-9]{1,9}", number) else 0
    return str(part.get("start", "1")) == str(next_one)


def write_ticks(body: Tag) -> None:
    """Write [x] or [ ] for boxes that are drawn, and for the items of a list of tasks."""
    for box in [*body(class_=_TICK), *body(role="checkbox")]:
        if not box.get_text(strip=True):
            is_on = {"checkbox-on", "checkbox-checked"} & _names(box) or box.get("aria-checked") == "true"
            box.name, box.string = "span", "[x]" if is_on else "[ ]"
            set_apart(box)
    for tasks in body(_LISTS, class_=_TASKS):
        for item in tasks("li", recursive=False):
            if item.get_text(strip=True) and not item.get_text(strip=True).startswith("["):
                first = item.find(True, recursive=False)
                begin = first if first and first.name == "p" else item
                begin.insert(0, "[x] " if {"checked", "done"} & _names(item) else "[ ] ")


def part_labels(body: Tag) -> None:
    """Write a comma between labels that only their frames keep apart."""
    for label in body(class_=_LABEL):
        after = label.next_sibling
        if isinstance(after, Tag) and any(_LABEL.search(name) for name in _names(after)) and after.get_text(strip=True):
            label.insert_after(", ")


def set_apart(element: Tag) -> None:
    """Put spaces around an element where a word would join its text."""
    before, after = element.find_previous(string=True), element.next_sibling
    if before and not str(before)[-1:].isspace():
        element.insert_before(" ")
    if after and not str(after)[:1].isspace():
        element.insert_after(" ")
