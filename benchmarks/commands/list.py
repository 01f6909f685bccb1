"""``crosscheck list``: what there is to choose from."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import AGREE
from model_spec.verdict import json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, datasets
    from benchmarks.own_files import BUNDLED
    from benchmarks.tables import Table
    from bridge.selftest.faults import FAULTS
    from model_spec import zoo
    from model_spec.zoo_extended import CLASSIFIERS

    lists = {
        "networks": {name: (build.__doc__ or "").splitlines()[0] for name, build in (zoo.ZOO | CLASSIFIERS).items()},
        "data": {name: "" for name in (*datasets.DATASETS, *BUNDLED)},
        "faults": {fault.name: f"{fault.description} ({fault.shows})" for fault in FAULTS.values()},
    }
    if options.json:
        print(json_text(lists))
        return AGREE
    for title, entries in lists.items():
        console.show(Table(["name", ""], [[name, text] for name, text in entries.items()], title))
    return AGREE
