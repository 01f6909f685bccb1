"""``crosscheck grade``: submissions of from-scratch code judged by an assignment, with points and causes."""

from __future__ import annotations

import argparse
import json
import secrets
from pathlib import Path

from benchmarks.commands.common import AGREE, DIFFER, progress
from model_spec.names import printable


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code: 0 where every submission has all points."""
    from benchmarks.grading import results
    from benchmarks.grading.assignment import load_assignment
    from benchmarks.grading.judging import judge_submission

    _in_order(options.assignment, options.submissions)
    assignment = load_assignment(options.assignment)
    if options.nbgrader is not None:
        from model_spec.whole_files import write_whole

        cells = results.notebook(assignment, options.assignment)
        write_whole(options.nbgrader, json.dumps(cells, indent=1))
        print(f"written: {options.nbgrader}, {len(assignment.cases)} test cells")
        return AGREE
    if not options.submissions:
        raise ValueError("nothing to grade; give the paths of one or more submissions")
    for path in options.submissions:
        _need_python_file(path)
    secret = options.secret or secrets.token_hex(8)
    names = _names(options.submissions)
    found = {}
    with progress(options) as show:
        for number, (path, name) in enumerate(zip(options.submissions, names, strict=True), 1):
            show(name, number, len(names))
            found[name] = judge_submission(path, assignment, secret, options.hints)
            if not options.json:
                print("\n".join(printable(line) for line in results.lines(name, assignment, found[name])))
    for name, outcomes in found.items():
        # Last, when no submission runs any more that could write there
        results.save(options.output / name, name, assignment, outcomes)
    entries = {name: results.gradescope(assignment, outcomes) for name, outcomes in found.items()}
    all_right = all(results.total(outcomes) == assignment.most for outcomes in found.values())
    if options.json:
        print(json.dumps({"assignment": assignment.title, "secret": secret, "submissions": entries}, allow_nan=False))
    else:
        print(f"pages and results: {options.output}; --secret {secret} draws the same inputs again")
    return AGREE if all_right else DIFFER


def _in_order(assignment: Path, submissions: list[Path]) -> None:
    if assignment.suffix != ".toml" and any(path.suffix == ".toml" for path in submissions):
        raise ValueError(
            f"{assignment} is no assignment: the .toml file comes first and the submissions behind it, "
            f"as in crosscheck grade assignment.toml submission.py"
        )


def _need_python_file(path: Path) -> None:
    """Refuse what cannot be a submission before any is run."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the paths of Python files, such as {path / '*.py'}")
    if not path.is_file():
        raise ValueError(f"no file {path}; give the paths of Python files")
    if path.suffix == ".ipynb":
        raise ValueError(
            f"{path} is a notebook, and Python files are graded: write one by "
            f"jupyter nbconvert --to script {path}, or put the cells of --nbgrader into the notebook"
        )
    if path.suffix != ".py":
        raise ValueError(f"{path} is no Python file; a submission's name ends in .py")


def _names(submissions: list[Path]) -> list[str]:
    """A folder name for each: the file's, with its folder in front where several files have one name."""
    stems = [path.stem for path in submissions]
    if len(set(stems)) == len(stems):
        return stems
    names = [f"{path.resolve().parent.name}-{path.stem}" for path in submissions]
    if len(set(names)) < len(names):
        raise ValueError("several submissions have one name; give each file a name of its own")
    return names
