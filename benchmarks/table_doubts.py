"""What looks wrong with a table that can be read: a second label, a count of rows, a first row taken for names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from model_spec.names import shown

Array = np.ndarray

LABELS = ("label", "labels", "class", "target", "y")
"""What a column of labels is called, in any case of letters."""

# pandas tells equal names apart by an ending: 0.2 and 0.2.1
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)*(e[+-]?\d+)?\s*", re.IGNORECASE)


def is_called_label(name: str) -> bool:
    """Whether a column's name says that it holds labels.

    >>> is_called_label("Class "), is_called_label("weight")
    (True, False)
    """
    return name.strip().lower() in LABELS


def doubts_of_table(names: Sequence[str], x: Array) -> Iterator[str]:
    """What looks wrong with the inputs of a table, in words.

    Args:
        names: of its columns without the labels.
        x: the inputs (rows, columns).
    """
    labels = [name for name in names if is_called_label(name)]
    if labels:
        yield f"columns {shown(labels)} are called as labels are and taken as inputs: leave out what is a label"
    counts = [name for name, column in zip(names, x.T, strict=True) if len(x) > 2 and (np.diff(column) == 1).all()]
    if counts:
        yield f"columns {shown(counts)} count the rows and are taken as inputs: leave an index out (index=False)"
    constant = [name for name, column in zip(names, x.T, strict=True) if (column == column[0]).all()]
    if constant:
        yield f"columns {shown(constant)} hold one value in all rows and become zeros"
    counted = [str(number) for number in range(len(names) + 1)]
    if all(map(_NUMBER.fullmatch, names)) and list(names) not in (counted[:-1], counted[1:]):
        yield f"all columns have numbers for names, {shown(list(names)[:3])}: was the first row taken for them?"
