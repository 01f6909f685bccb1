"""``crosscheck schema``: the JSON schema of a network's file, for editors."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from model_spec.schema import json_schema

    print(json.dumps(json_schema(), indent=1))
    return AGREE
