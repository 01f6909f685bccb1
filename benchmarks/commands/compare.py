"""``crosscheck compare``: the main job for each network; writes report.json and report.html into a new directory."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import exit_code, load_data, prepare, progress, run_directory, training_of
from model_spec.verdict import combine, json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import compare as job
    from benchmarks import console, network_differences, report, side_by_side
    from benchmarks.experiments import find_experiments
    from bridge import plant

    if options.fault:
        plant(options.fault)  # an unknown one is refused before the work
    data = load_data(options)
    experiments = find_experiments(options.models, data, options.zoo == "extended")
    runs = [(experiment.spec, training_of(experiment, data, options)) for experiment in experiments]
    threads = prepare(options)
    results, directories = [], []
    for spec, training in runs:
        with progress(options) as show:
            result = job.run(
                spec,
                data,
                training,
                seed=options.seed,
                threads=threads,
                fault=options.fault,
                drift_steps=options.drift,
                seeds=options.seeds,
                show=show,
            )
            directory = run_directory(options.output, spec.name)
            show(f"{spec.name}: writing the report")
            report.save(result, directory)
        results.append(result)
        directories.append(directory)
        verdict = combine(result.verdict for result in results)
        if not options.json:
            console.show(*console.comparison_parts(result), f"report: {directory / 'report.html'}\n")
    compared = list(zip(results, directories, strict=True))
    page = None
    if len(results) > 1 and any(result.accuracy is not None for result in results):
        page = side_by_side.save(compared, run_directory(options.output, "side-by-side"))
    if options.json:
        print(json_text([result.to_dict() for result in results]))
    else:
        if page is not None:
            console.show(side_by_side.table(side_by_side.lines_of(compared, page.parent)))
            score = "R^2" if data.is_regression else "accuracy"
            apart = network_differences.table(side_by_side.differences_of(compared), score)
            console.show(*[apart] * bool(apart.rows), f"page: {page}")
        names = ", ".join(result.spec.name for result in results if result.verdict == verdict)
        console.show(f"{verdict}: {names} on {data.name}")
    return exit_code(verdict)
