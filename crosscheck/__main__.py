"""The command: ``crosscheck ...`` or ``python -m crosscheck ...``."""

import sys

from crosscheck.ours import PACKAGES, ShadowedPackageError, need_ours


def main() -> int:
    """Run the command line; return its exit code."""
    try:
        for package in PACKAGES:
            need_ours(package)
    except ShadowedPackageError as error:
        print(f"crosscheck: {error}", file=sys.stderr)
        return 2
    from benchmarks.cli import main as run  # only now is it known to be ours

    return run()


if __name__ == "__main__":
    sys.exit(main())
