"""The page in docs/ is what its record gives: neither edited by hand nor left behind by a change of rows or rules."""

from pathlib import Path

from benchmarks.commands import reproduce
from benchmarks.reproduction import campaign, page, record
from benchmarks.reproduction.experiment import load_rows
from benchmarks.reproduction.summary import summarise

ROOT = Path(__file__).parents[3]


def _words(text: str) -> list[str]:
    # Pictures take long to draw, and test_docs sees that their links lead somewhere
    return [line for line in text.splitlines() if line and not line.startswith("![")]


def test_the_recorded_page_is_what_its_record_gives():
    rows = load_rows()
    known = record.read(ROOT / reproduce.RECORD)
    assert known.entries == known.only(one.key for one in campaign.all_cells(rows.values())).entries
    link = reproduce.RECORD.relative_to(reproduce.PAGE.parent).as_posix()
    written = (ROOT / reproduce.PAGE).read_text(encoding="utf-8")
    assert _words(page.text(rows, known, {}, link)) == _words(written)


def test_every_row_beside_its_published_figure_says_why():
    known = record.read(ROOT / reproduce.RECORD)
    for row in load_rows().values():
        lines = summarise(row, known).lines
        beside = [line.figure for line in lines if {"above", "below"} & set(line.verdicts.values())]
        assert bool(beside) is bool(row.why), f"{row.name}: {beside or 'all figures within'}, why: {row.why!r}"
