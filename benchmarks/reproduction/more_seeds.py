"""When the seeds of a row are too few: its accuracies spread, its backends seem to differ, or are still in doubt."""

from __future__ import annotations

from benchmarks.reproduction.experiment import MOST_SEEDS, Row, Variant
from benchmarks.reproduction.record import Record
from benchmarks.reproduction.results import Results, accuracies, difference_of, results_of, values_of
from benchmarks.reproduction.statistics import WIDE_SPREAD


def reason_for_more(row: Row, record: Record) -> str | None:
    """Why the first seeds of a row are too few; None where they say enough, or where not all of them were run."""
    if not row.random or row.seeds == MOST_SEEDS:
        return None
    for variant in row.variants:
        results = results_of(row, variant, record, range(row.seeds))
        if len(results["numpy"]) < row.seeds:
            return None
        for where in accuracies(results):
            if any(max(one) - min(one) > WIDE_SPREAD for one in values_of(results, *where).values()):
                return "an accuracy spreads over more than two points"
        if _seems_to_differ(results):
            return "its backends seem to differ"
    return None


def doubted_variants(row: Row, record: Record) -> tuple[Variant, ...]:
    """The variants whose backends differ by all of the first ten seeds: the fresh ones decide."""
    found = []
    for variant in row.variants:
        results = results_of(row, variant, record, range(MOST_SEEDS))
        if len(results["numpy"]) == MOST_SEEDS and _seems_to_differ(results):
            found.append(variant)
    return tuple(found)


def _seems_to_differ(results: Results) -> bool:
    return any(difference_of(results, *where).differs for where in accuracies(results))
