"""``crosscheck fuzz``: random networks compared; the smallest case of each kind of difference is saved for replay."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import (
    INTERRUPTED,
    exit_code,
    progress,
    write_record,
)
from model_spec.verdict import json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, fuzzing
    from bridge import plant

    if options.conversions:
        return _conversions(options)
    if options.fault:
        plant(options.fault)  # an unknown one is refused before the work
    with progress(options) as show:
        result = fuzzing.run(
            options.count,
            options.seed,
            options.jobs,
            options.fault,
            options.output,
            show,
            fuzzing.SHRINK_SECONDS,
        )
    if options.fault and not result.summary.planted and result.summary.networks:
        raise ValueError(
            f"fault {options.fault!r} fits none of the {result.summary.networks} networks; "
            f"give --count more of them, or a fault of a layer or a loss (crosscheck list)"
        )
    if options.json:
        facts = {"seed": options.seed, "seconds": round(result.seconds, 1), "interrupted": result.interrupted}
        cases = {"cases": [str(path) for path in result.cases.values()], "errors": result.summary.failed}
        print(json_text({**result.summary.to_dict(), **facts, **cases}))
    else:
        for kind, path in result.cases.items():
            console.show(f"{result.texts[kind]}\ncase: {path}\n")
        for error in result.summary.failed:
            console.show(f"could not be compared, {error}\n")
        console.show(*result.summary.lines())
        asked = f"interrupted, {result.summary.networks} of {options.count} networks" if result.interrupted else "whole"
        console.show(f"{result.seconds:.0f} s, {asked}")
    if result.interrupted:
        return INTERRUPTED
    return exit_code(result.summary.verdict)


def _conversions(options: argparse.Namespace) -> int:
    """Random models written against Keras, converted to NumPy and back."""
    from benchmarks import console, fuzzing
    from bridge.fuzzing import conversions

    with progress(options) as show:
        campaign = conversions.run(
            options.count,
            options.seed,
            options.jobs,
            options.output / "cells",
            fuzzing.prepare_process,
            show,
        )
    text = "\n".join(campaign.lines())
    console.show(json_text(campaign.to_dict()) if options.json else text)
    if options.record:
        command = f"crosscheck fuzz --conversions -n {options.count} --seed {options.seed}"
        write_record(options.record, "Conversions", command, text)
    return exit_code(campaign.verdict)
