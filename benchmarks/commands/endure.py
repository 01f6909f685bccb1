"""``crosscheck endure``: trainings killed and resumed, long ones, and many at once."""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.commands.common import AGREE, DIFFER, progress, typed, write_record
from model_spec.verdict import json_text

STUDIES = ("kills", "memory", "together", "workers", "parsers")


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, endurance, parser_fuzzing, worker_kills

    unknown = sorted(set(options.studies) - set(STUDIES))
    if unknown:
        raise ValueError(f"unknown study {', '.join(unknown)}; known are {', '.join(STUDIES)}")
    found: dict[str, Any] = {}
    with progress(options) as show:
        for study in options.studies:
            if study == "kills":
                found[study] = endurance.kills(options.kills, options.seed, show)
            elif study == "memory":
                found[study] = endurance.memory(options.steps, show)
            elif study == "workers":
                found[study] = worker_kills.kills(options.kills, options.seed, show)
            elif study == "parsers":
                found[study] = parser_fuzzing.run(options.files, options.seed, show)
            else:
                found[study] = endurance.together(options.together)
    held = all(_held(study, result) for study, result in found.items())
    text = "\n".join([f"{'HELD' if held else 'FAILED'}", *(_line(study, result) for study, result in found.items())])
    if options.record:
        write_record(options.record, "Endurance", typed(options), text)
    console.show(json_text(found) if options.json else text)
    return AGREE if held else DIFFER


def _held(study: str, result: dict[str, Any]) -> bool:
    if study == "kills":
        return result["unreadable"] == result["different"] == result["temporary_files"] == 0
    if study == "workers":
        return result["different"] == result["orphans"] == result["shared_memory_left"] == 0 and result["told"] > 0
    if study == "memory":
        return abs(result["growth"]) < 0.02
    if study == "parsers":
        return not any(reader["error"] for reader in result.values())
    return result["complete"] == result["started"] == len(set(result["seeds"]))


def _line(study: str, result: dict[str, Any]) -> str:
    if study == "kills":
        return (
            f"kills: {result['kills']} at random moments of {result['trainings']} trainings; unreadable files "
            f"{result['unreadable']}, trainings that ended with other bits {result['different']}, temporary files left "
            f"{result['temporary_files']}"
        )
    if study == "workers":
        return (
            f"workers: {result['kills']} kills of a worker process or its parent; deaths told in time "
            f"{result['told']}, trainings with other bits {result['different']}, processes left {result['orphans']}, "
            f"names left in shared memory {result['shared_memory_left']}"
        )
    if study == "memory":
        first, last = result["resident"][0] / 1e6, result["resident"][-1] / 1e6
        return f"memory: {result['steps']} steps, {first:.1f} MB after a twentieth, {last:.1f} MB in the end"
    if study == "parsers":
        told = (
            f"{name} {found['files']} files, {found['features']} places in the code"
            + (f", FAILED: {found['error']}" if found["error"] else "")
            for name, found in result.items()
        )
        return f"parsers: {'; '.join(told)}"
    return f"together: {result['started']} trainings at once in one directory, {result['complete']} complete results"
