"""Which rows and columns of a sheet or CSV file belong together, and what names them."""

from __future__ import annotations

import pytest

from ingest.parse.fields import Field
from ingest.parse.separated import parse_csv
from ingest.parse.sheet_tables import block_text, blocks
from ingest.parse.tables import table_text


def rows_of(text: str) -> list[list[str]]:
    """Cells divided by commas; *bold* ones are strong."""
    return [
        [Field(cell[1:-1], strong=True) if cell.startswith("*") else cell for cell in line.split(",")]
        for line in text.split("\n")
    ]


def read(text: str) -> list[str]:
    """The lines of the Markdown, without rules, bars and the empty lines around tables."""
    markdown = "\n\n".join(map(block_text, blocks(rows_of(text))))
    lines = (" ".join(line.replace("|", " ").split()) for line in markdown.split("\n"))
    return [line for line in lines if line and "---" not in line]


@pytest.mark.parametrize(
    ("sheet", "lines"),
    [
        ("*Site*,*Head*\nOslo,Ida\n,\nLund,Per", ["Site Head", "Oslo Ida", "Lund Per"]),
        ("Site,Opened\n,\nOslo,May 2019\nLund,July 2020", ["Site Opened", "Oslo May 2019", "Lund July 2020"]),
        ("*Site*,*Head*\nOslo,Ida\n,\n*Car*,*Plate*\nVan,K 4", ["Site Head", "Oslo Ida", "Car Plate", "Van K 4"]),
        (
            "Site,Head\nOslo,Ida\nBonn,Ulf\n,\nCar,Plate\nVan,K 4",
            ["Site Head", "Oslo Ida", "Bonn Ulf", "Car Plate", "Van K 4"],
        ),
        (
            "EUR million,,,2025\n,Sales,Profit,Staff\n,,,\nOslo,12.4,2.1,40\nBonn,9.6,\u2014,31",
            ["EUR million Sales Profit 2025 / Staff", "Oslo 12.4 2.1 40", "Bonn 9.6 \u2014 31"],
        ),
    ],
)
def test_rows_below_an_empty_one_go_on_unless_they_have_a_header(sheet: str, lines: list[str]) -> None:
    assert read(sheet) == lines


@pytest.mark.parametrize(
    ("sheet", "lines"),
    [
        (
            "Item,Number\nKitchen,\nChairs,12\nHall,\nChairs,6",
            ["Item Number", "Kitchen Chairs 12", "Hall Chairs 6"],
        ),
        ("Item,Number\nChairs,12\nTables,\nLamps,6", ["Item Number", "Chairs 12", "Tables", "Lamps 6"]),
        ("Item,Number\n*Hall*,\nChairs,6", ["Item Number", "Hall Chairs 6"]),
    ],
)
def test_lines_of_one_cell_name_the_rows_below_them(sheet: str, lines: list[str]) -> None:
    assert read(sheet) == lines


@pytest.mark.parametrize(
    ("sheet", "last"),
    [
        ("Region,Depot,Staff\nNorth,Cole,14\n,Tarn,11", "North Tarn 11"),
        ("Region,Depot,Staff\nNorth,Cole,14\n,Tarn,", "Tarn"),
        ("Region,Depot,Staff\nNorth,Cole,14\n,Total,25", "Total 25"),
        ("Number,Depot,Staff\n1,Cole,14\n,Tarn,11", "Tarn 11"),
    ],
)
def test_a_name_that_stands_once_for_several_rows_is_in_each(sheet: str, last: str) -> None:
    assert read(sheet)[-1] == last


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([["Name"], ["Ida"], [""], ["Ulf"]], "| Name |\n| --- |\n| Ida |\n| Ulf |"),
        ([["Region", "Depot"], ["North", "Cole"], ["", "Summer"]], "| North | Summer |"),
        ([[], []], ""),
        ([[]], ""),
    ],
)
def test_tables_of_one_column_or_none_stay_whole(rows: list[list[str]], text: str) -> None:
    assert table_text(rows, 1).endswith(text)


def test_labels_above_the_names_of_columns_are_lines() -> None:
    sheet = "Price list,2026,,\nValid from,3 May,,\nArticle,Price,Unit,From\nG4,3.2,piece,Tolmer"
    assert read(sheet) == ["Price list: 2026", "Valid from: 3 May", "Article Price Unit From", "G4 3.2 piece Tolmer"]


def test_bold_names_of_several_columns_need_no_merged_cells() -> None:
    sheet = "*Name*,*Leave*,,*Sick*,\n,*taken*,*left*,*paid*,*unpaid*\nIda,12,18,3,0"
    assert read(sheet)[0] == "Name Leave / taken Leave / left Sick / paid Sick / unpaid"


@pytest.mark.parametrize(
    ("sheet", "first"),
    [
        ("Site,,,Year\n,Sales,Profit,\nOslo,12,2,2025\nBonn,9,4,2024", "Site Sales Profit Year"),
        ("Site,,,Year\n,Sales,Profit,\nOslo,much,2,2025\nBonn,9,4,2024", "Site Year"),
        ("Site,,,Year\n,12,2,\nOslo,12,2,2025\nBonn,9,4,2024", "Site Year"),
    ],
)
def test_names_that_the_first_row_leaves_out_may_be_in_the_second(sheet: str, first: str) -> None:
    assert read(sheet)[0] == first


@pytest.mark.parametrize(
    ("sheet", "first"),
    [
        (
            "City,May,,June,\n,Days,Cost,Days,Cost\nBonn,5,9,6,8\nKiel,7,4,8,3",
            "City | May / Days | May / Cost | June / Days",
        ),
        (",May,,June,\nCity,Days,Cost,Days,Cost\nBonn,5,9,6,8", "City | May / Days | May / Cost | June / Days"),
        ("City,May,,June,\n,Ann,Ben,Ann,Ben\nBonn,on,off,on,on\nKiel,on,on,on,on", "City | May |  | June"),
        ("City,May,,June,\nBonn,5,9,5,9\nKiel,7,4,8,3", "City | May |  | June"),
    ],
)
def test_a_name_above_several_columns_names_each_of_them(sheet: str, first: str) -> None:
    assert block_text(rows_of(sheet)).startswith(f"| {first}")


@pytest.mark.parametrize(
    ("sheet", "first"),
    [
        ("Pipe,Weight,Length\n,kg,mm\nA,3,40\nB,4,50", "Pipe | Weight / kg | Length / mm"),
        ("Pipe,Weight,Length\n,none,mm\nA,light,40\nB,4,50", "Pipe | Weight | Length"),
        ("Pipe,Weight,Length\nOld,kg,mm\nA,3,40\nB,4,50", "Pipe | Weight | Length"),
    ],
)
def test_units_below_the_names_of_columns_belong_to_them(sheet: str, first: str) -> None:
    assert block_text(rows_of(sheet)).startswith(f"| {first} |")


def test_indented_names_that_repeat_follow_the_ones_above() -> None:
    rows = [["Account", "May"], ["Sales", "9"], ["  Goods", "5"], ["    Pipes", "4"], ["Costs", "7"], ["  Goods", "3"]]
    names = [line.split(" | ")[0] for line in block_text(rows).split("\n")[2:]]
    assert names == ["| Sales", "| Sales / Goods", "| Sales / Goods / Pipes", "| Costs", "| Costs / Goods"]
    by_format = [rows[0], rows[1], [Field("Goods", indent=1), "5"], rows[4], [Field("Goods", indent=1), "3"]]
    assert "| Costs / Goods | 3 |" in block_text(by_format)
    assert "| Pipes | 4 |" in block_text(rows[:5])


def test_a_form_of_labels_and_values_has_no_header() -> None:
    assert block_text(rows_of("Order,4711,Date,2026-05-04\nFor,Brandt,Contact,Ulla")).startswith("|  |  |  |  |")
    assert block_text(rows_of("City,Day,Night,Week\nBonn,1,2,3")).startswith("| City | Day | Night | Week |")


def test_notes_below_a_table_are_lines() -> None:
    assert read("Class,Fee\nAdults,12 euros\n,\nIt is free on Sundays,\nand on every holiday too,") == [
        "Class Fee",
        "Adults 12 euros",
        "It is free on Sundays",
        "and on every holiday too",
    ]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("# made on 1, 2 and 3 May\n# by, the, way\nCard;Zone\nB1;3, lab\nB2;5, store", "| B2 | 5, store |"),
        (
            'No,Words,Who\n1,"He said \\"tank 4, not 5\\", ok",Ida\n2,fine,Nils',
            '| 1 | He said "tank 4, not 5", ok | Ida |',
        ),
        ('Part\tSize\nPipe\t"5 inch\nHose\t3 inch', '| Pipe | "5 inch |'),
        (f"No,Words\n1,{'long ' * 30_000}\n2,short", "| 2 | short |"),
        ("Name,Phone\nIda,1\nUlf,2\n\nCar,Plate\nVan,K 4\nBus,K 5", "| Car | Plate |"),
        ("a\tb\n\nc\td", "| c | d |"),
    ],
)
def test_remarks_quotes_and_parts_of_separated_values(text: str, row: str) -> None:
    assert row in parse_csv(text.encode()).pages[0].text.split("\n")
