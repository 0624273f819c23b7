"""A web page -> its content, without menus, banners, footers, cookie notices and hidden elements.

The rules prefer keeping a menu to losing content: a class name alone is not enough, and nothing with more than half
of the page's text is removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bs4 import BeautifulSoup
from bs4.element import Tag

from ingest.parse.document import one_line
from ingest.parse.html.hidden import is_aria_hidden, is_hidden

_ROLES = {"navigation", "search", "menu", "menubar", "banner", "contentinfo", "dialog", "alertdialog"}
_LAYOUT = re.compile(r"^(has|with|no|without|is|show|hide|toggle)[-_]")  # class names about other elements
_LINKS = {"nav", "navbar", "navigation", "menu", "sidebar", "toc", "share", "sharing", "social", "pagination", "pager"}
_COOKIES = re.compile(r"cookies?[-_]?(banner|bar|consent|notice|notification|popup|modal|message|law|dialog|overlay)")
_CONSENT = re.compile(r"^(onetrust|cookiebot|cc-window|cc-banner|gdpr|consent-banner)")
_CHANGED = re.compile(r"(?:this page was )?last[-_ ]?(?:mod|updated|changed|edited)", re.IGNORECASE)
_CRUMBS = re.compile(r"^breadcrumbs?\b")
_EDGE = re.compile(r"(?:^| )(?:(?:row|column)-headers-background|row-header|freezebar-[\w-]+)(?: |$)")
_SKIP = re.compile(
    r"^\s*(skip|jump|go)\s+(straight\s+)?to\s+(the\s+)?(main\s+)?(content|navigation|search)", re.IGNORECASE
)


def content_of(soup: BeautifulSoup, hidden: list[str]) -> Tag:
    """Return the element with the page's content, cleaned; the text of hidden elements is added to hidden."""
    _shorten_heading(soup)
    changed: list[Tag] = []
    content = _main_part(_without(soup, _RULES, hidden, changed))
    content.extend(changed)
    return content


def _main_part(page: Tag) -> Tag:
    mains = page.find_all(lambda tag: tag.name == "main" or tag.get("role") == "main")
    if full := [main for main in mains if main.get_text(strip=True)]:
        return full[0]
    articles = page.find_all("article")
    return articles[0] if len(articles) == 1 and 2 * _size(articles[0]) > _size(page) else page


def _shorten_heading(soup: BeautifulSoup) -> None:
    """Take the name of the whole wiki, the first of the breadcrumbs, from the page's heading: Wiki : Page."""
    heading = soup.h1
    wiki, colon, name = one_line(heading.get_text()).partition(" : ") if heading else ("", "", "")
    crumbs = soup.find(id=_CRUMBS) or soup.find(class_=_CRUMBS) if heading and colon else None
    if heading and crumbs and crumbs.a and one_line(crumbs.a.get_text()) == wiki:
        heading.string = name


def visible_part_of(soup: BeautifulSoup, hidden: list[str]) -> Tag:
    """Return the page without hidden elements; their text is added to hidden."""
    return _without(soup, (), hidden, [])


def _without(
    soup: BeautifulSoup, rules: tuple[Callable[[Tag], bool], ...], hidden: list[str], changed: list[Tag]
) -> Tag:
    """Return the page without what the rules name and what is hidden; see content_of for hidden.

    changed: receives the removed lines that say when the page changed, such as "Last edited on 5 May 2024".
    """
    page = soup.body or soup
    half = _size(page) / 2
    expandable = {
        name
        for element in soup.find_all(None, {"aria-controls": True})
        for name in str(element["aria-controls"]).split()
    }
    for element in page.find_all(True):
        if any(rule(element) for rule in rules) and _size(element) <= half:
            while line := element.find(_is_last_change):
                line.name = "p"
                changed.append(line.extract())
            element.extract()
        elif is_hidden(element, expandable) and _size(element) <= half:
            if element.get_text(strip=True) and page in element.parents and not is_aria_hidden(element):
                hidden.append(element.get_text())
            element.extract()
    return page


def _is_last_change(element: Tag) -> bool:
    """Return whether it says when the page was last changed, and nothing else."""
    text = one_line(element.get_text()) if element.name in ("p", "li", "div", "span", "small", "em", "i") else ""
    name = f"{element.get('id')} {element.get('class')}"
    named = text and (_CHANGED.search(name) or _CHANGED.match(text))
    return bool(named) and len(text) < 150 and re.search(r"\b(?:19|20)\d\d\b", text) is not None


def _has_role(element: Tag) -> bool:
    return str(element.get("role", "")).lower() in _ROLES


def _is_outside_the_article(element: Tag) -> bool:
    """Return whether it is a frame of the page; an article's header and footer have its title and notes."""
    if element.name == "header" and not element.find("h1"):
        return not element.find_parent(["main", "article"]) or _is_mostly_links(element)
    if element.name == "footer":
        return not element.find("ol") or _is_mostly_links(element)
    return element.name in ("aside", "header") and _is_mostly_links(element)


def _is_small_form(element: Tag) -> bool:
    """Return whether it is for searching, signing in or a newsletter, not a form that people fill in."""
    return element.name == "form" and _size(element) < 100 and len(element(["input", "select", "textarea"])) < 4


def _is_named_menu(element: Tag) -> bool:
    is_named = _words(element) & _LINKS or any("toc" in re.split("[-_]+", name) for name in _names(element))
    return bool(is_named) and _is_mostly_links(element)


def _is_named_breadcrumb(element: Tag) -> bool:
    return bool(_words(element) & {"breadcrumb", "breadcrumbs"}) and _size(element) < 300


def _is_named_footer(element: Tag) -> bool:
    if not _words(element) & {"footer", "printfooter"} or element.find_parent(["table", "article", "main"]):
        return False
    return _size(element) < 300 or _is_mostly_links(element) or "©" in element.get_text()


def _is_cookie_notice(element: Tag) -> bool:
    names = _names(element)
    return any(_COOKIES.search(name) or _CONSENT.search(name) for name in names) and _size(element) < 3000


def _is_skip_link(element: Tag) -> bool:
    return (
        element.name == "a" and str(element.get("href", "")).startswith("#") and bool(_SKIP.match(element.get_text()))
    )


def _is_ornament(element: Tag) -> bool:
    """Return whether it is an icon of the page, or a letter or number on the edge of a spreadsheet."""
    if element.name in ("tr", "th", "td"):
        cells = element(["th", "td"], recursive=False) if element.name == "tr" else [element]
        return all(_EDGE.search(" ".join(map(str, cell.get_attribute_list("class")))) for cell in cells)
    return element.name == "div" and "icon" in _words(element) and not re.search(r"\w", element.get_text())


def _is_edit_link(element: Tag) -> bool:
    return element.name == "span" and "editsection" in _words(element)


_RULES: tuple[Callable[[Tag], bool], ...] = (
    _has_role,
    _is_outside_the_article,
    _is_small_form,
    _is_named_menu,
    _is_named_breadcrumb,
    _is_named_footer,
    _is_cookie_notice,
    _is_skip_link,
    _is_ornament,
    _is_edit_link,
)


def _names(element: Tag) -> list[str]:
    """Return classes and id of a layout element; a heading's or section's id names its topic instead."""
    if element.name not in ("div", "ul", "ol", "p", "span", "header", "aside", "table", "td"):
        return []
    return [name.lower() for name in [*element.get_attribute_list("class"), element.get("id")] if isinstance(name, str)]


def _words(element: Tag) -> set[str]:
    """Return the last words of its names, so that `site-footer` is a footer, but `menu-price` is no menu."""
    return {re.split(r"[-_]+", name.strip("-_"))[-1] for name in _names(element) if not _LAYOUT.match(name)}


def _is_mostly_links(element: Tag) -> bool:
    links = sum(_size(link) for link in element(["a", "button"]))
    return links >= 0.5 * _size(element)


def _size(element: Tag) -> int:
    return len(element.get_text(strip=True))
