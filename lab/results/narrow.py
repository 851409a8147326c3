"""Figures of runs for a terminal that is narrower than the table: whole numbers, in several blocks.

Nothing is cut and no number is split. A table that is too wide becomes several, each with the names of the
techniques; where even these are too wide, each technique gets its own list.
"""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill

Rows = Mapping[str, Sequence[str]]
"""The cells of each technique, without its name."""
Column = tuple[str, str, int]
"""Its group ("" for none), its heading, its width."""
LEAST = 10
"""Narrowest width, in columns, to which text is fitted."""


def blocks(columns: Sequence[Column], rows: Rows, width: int) -> Iterator[list[tuple[str, str]]]:
    """Lines, each with the technique that it belongs to ("" for a heading), block by block."""
    name = max(map(len, rows), default=0)
    groups = list(_groups(columns))
    if any(name + _wide(columns, group) > width for group in groups):
        yield from (_as_list(mode, columns, cells) for mode, cells in rows.items())
        return
    for block in _packed(columns, groups, width - name):
        yield _as_table(columns, block, rows, name)


def wrapped(text: str, width: int) -> str:
    """Text with its paragraphs wrapped to this width; empty lines stay."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(fill(" ".join(part.split()), max(LEAST, width)) for part in paragraphs)


def _groups(columns: Sequence[Column]) -> Iterator[list[int]]:
    """The numbers of columns that stay together: those under one heading."""
    group: list[int] = []
    for number, (name, _, _) in enumerate(columns):
        if group and (not name or name != columns[group[0]][0]):
            yield group
            group = []
        group.append(number)
    yield group


def _wide(columns: Sequence[Column], group: Sequence[int]) -> int:
    return max(sum(1 + columns[number][2] for number in group), 1 + len(columns[group[0]][0]))


def _packed(columns: Sequence[Column], groups: list[list[int]], room: int) -> Iterator[list[list[int]]]:
    """As many groups in a block as there is room for."""
    block: list[list[int]] = []
    for group in groups:
        if block and sum(_wide(columns, each) for each in [*block, group]) > room:
            yield block
            block = []
        block.append(group)
    yield block


def _as_table(
    columns: Sequence[Column], block: list[list[int]], rows: Rows, name: int
) -> list[tuple[str, str]]:
    above = "".join(f"{columns[group[0]][0]:>{_wide(columns, group)}}" for group in block)
    lines = [("", f"{'':{name}}{above}")] if above.strip() else []
    lines.append(("", f"{'':{name}}" + _cells(columns, block, [heading for _, heading, _ in columns])))
    return lines + [(mode, f"{mode:{name}}" + _cells(columns, block, cells)) for mode, cells in rows.items()]


def _cells(columns: Sequence[Column], block: list[list[int]], cells: Sequence[str]) -> str:
    line = ""
    for group in block:
        line += "".join(f" {cells[n]:>{columns[n][2]}}" for n in group).rjust(_wide(columns, group))
    return line


def _as_list(mode: str, columns: Sequence[Column], cells: Sequence[str]) -> list[tuple[str, str]]:
    lines = [(mode, mode)]
    for group in _groups(columns):
        if len(group) > 1 and columns[group[0]][0]:
            lines.append(("", f" {columns[group[0]][0]}"))
        lines += [(mode, f" {columns[number][1]} {cells[number]}") for number in group]
    return lines
