"""`make messages`: bring the catalogs up to the texts in the code; new ones get no translation yet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from app.translation import FOLDER, LANGUAGES

APP = Path(__file__).parents[2] / "app"
_KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None}


@cache
def in_code() -> Catalog:
    """Return every text that is translated, with the file it stands in."""
    catalog = Catalog()
    for file, _line, message, comments, context in extract_from_dir(APP, [("**.py", "python")], keywords=_KEYWORDS):
        catalog.add(message, locations=[(f"app/{file}", None)], auto_comments=comments, context=context)
    return catalog


def catalog_path(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / "citeloop.po"


def read(language: str) -> Catalog:
    with catalog_path(language).open("rb") as file:
        return read_po(file, locale=language)


def main() -> None:
    for language in LANGUAGES:
        if catalog_path(language).exists():  # English has none
            catalog = read(language)
            catalog.update(in_code(), no_fuzzy_matching=True, update_creation_date=False)
            with catalog_path(language).open("wb") as file:
                write_po(file, catalog, width=120, ignore_obsolete=True, sort_by_file=True)


if __name__ == "__main__":
    main()
