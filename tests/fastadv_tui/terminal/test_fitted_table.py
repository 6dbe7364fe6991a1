"""A table fits the terminal: columns go in the order of their importance, then long cells are cut."""

from hypothesis import given
from hypothesis import strategies as st

from fastadv_tui.terminal.fitted_table import TableColumn, table_lines
from fastadv_tui.text.table import cell_width


def columns() -> list[TableColumn]:
    return [
        TableColumn("id", ["k3f9", "p2x7"]),
        TableColumn("name", ["a rather long name", "b"], cuttable=True),
        TableColumn("robust", ["45.3%", "-"]),
        TableColumn("attack", ["PGD-50-10", ""], importance=1),
        TableColumn("took", ["12 s", "3 d 04 h"], importance=2),
    ]


def test_without_a_limit_everything_is_there() -> None:
    assert table_lines(columns(), None) == [
        "id    name                robust  attack     took",
        "k3f9  a rather long name  45.3%   PGD-50-10  12 s",
        "p2x7  b                   -                  3 d 04 h",
    ]


def test_the_least_important_column_goes_first_and_then_names_are_cut() -> None:
    assert table_lines(columns(), 40) == [
        "id    name              robust  took",
        "k3f9  a rather long n…  45.3%   12 s",
        "p2x7  b                 -       3 d 04 h",
    ]
    assert table_lines(columns(), 24)[1] == "k3f9  a rather…   45.3%"


@given(st.integers(24, 80), st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_no_line_is_wider_than_the_terminal_whatever_the_names_are(width: int, names: list[str]) -> None:
    rest = ["x" * 6] * len(names)
    table = [TableColumn("id", rest), TableColumn("name", names, cuttable=True), TableColumn("attack", rest, 1)]
    for line in table_lines(table, width):
        assert cell_width(line) <= width
        assert line.isprintable() or not line.isascii()


def test_colours_do_not_change_the_alignment() -> None:
    painted = [TableColumn("s", ["a", "bcd"], paint=lambda number, cell: f"<{cell}>"), TableColumn("n", ["1", "2"])]
    assert table_lines(painted, 80) == ["s    n", "<a  >  1", "<bcd>  2"]
