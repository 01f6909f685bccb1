"""``crosscheck speed``: the speed table; with --compare, how each cell stands to an earlier run."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, DIFFER, progress_lines


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, environment, speed_table
    from benchmarks.arms import NETWORKS
    from core_numpy.whole_files import write_whole

    limit = speed_table.slowdown_limit(options.fail_if)
    earlier = None if options.compare is None else speed_table.load_earlier(options.compare)
    core = None if options.blas_core == "none" else options.blas_core
    table = speed_table.run(
        options.networks or list(NETWORKS),
        options.phases,
        options.threads,
        options.data,
        core,
        not options.no_textbook,
        options.blocks,
        progress_lines(options),
    )
    console.end_of_progress()
    write_whole(options.output, json.dumps(table.to_dict(), indent=1))
    changes = [] if earlier is None else speed_table.changes(table, earlier)
    text = "\n".join([*table.lines(), *(str(change) for change in changes)])
    print(json.dumps(table.to_dict(), indent=1) if options.json else text)
    if options.record:
        command = f"crosscheck speed {' '.join(options.networks)}".strip() + f" --threads {options.threads}"
        page = f"# Speed\n\n{environment.written_by(command)}\n\n```\n{text}\n```\n"
        write_whole(options.record, page)
    return DIFFER if any(change.ratio > limit for change in changes) else AGREE
