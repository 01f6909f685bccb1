"""``crosscheck reproduce``: the courses' experiments on both backends, and the page of published and found."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands.common import AGREE, CANNOT_COMPARE, DIFFER, INTERRUPTED, prepare, progress
from model_spec.verdict import json_text

RECORD = Path("docs/records/reproduction.json")
PAGE = Path("docs/reproduction.md")


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code: 1 only where the backends differ, published figures have verdicts."""
    from benchmarks import console
    from benchmarks.reproduction import campaign, page, record, wording
    from benchmarks.reproduction.experiment import LEAST_SEEDS, chosen, load_rows
    from benchmarks.reproduction.summary import summarise

    experiments = load_rows()
    rows = chosen(options.rows, experiments)
    options.threads = campaign.THREADS
    prepare(options)
    known = record.read(RECORD).only(one.key for one in campaign.all_cells(experiments.values()))
    quick = options.rows == ["quick"]
    with progress(options) as show:
        result = campaign.run(rows, known, options.directory, options.jobs, show=show, quick=quick)
    summaries = [summarise(row, result.record) for row in rows if row.name not in result.left_out]
    summaries = [summary for summary in summaries if summary.seeds]
    if options.record:
        campaign.take_in(experiments.values(), result.record, options.directory)
        result.record.write(RECORD)
        page.write(PAGE, RECORD, experiments, result.record)
    if options.json:
        facts = {
            "computed": result.computed,
            "kept": result.kept,
            "failed": result.failed,
            "left_out": result.left_out,
            "interrupted": result.interrupted,
        }
        print(json_text({"rows": [summary.to_dict() for summary in summaries], **facts}))
    else:
        for summary in summaries:
            console.show(*wording.text_lines(experiments[summary.row], summary))
        for failure in result.failed:
            console.show(f"could not be run, {failure}")
        for problem in dict.fromkeys(result.left_out.values()):
            names = [name for name, why in result.left_out.items() if why == problem]
            print(f"left out, {', '.join(names)}: {problem}")
        if quick:
            others = ", ".join(name for name, row in experiments.items() if not row.quick)
            print(f"quick takes {LEAST_SEEDS} seeds a row and leaves the long rows out: {others}")
        print(f"{result.computed} cells computed, {result.kept} kept, {len(result.failed)} failed")
    if result.interrupted:
        if not options.json:
            print(f"interrupted; finished cells are kept in {options.directory}, the same command goes on from there")
        return INTERRUPTED
    if not all(summary.agrees for summary in summaries):
        return DIFFER
    return CANNOT_COMPARE if result.failed or not summaries else AGREE
