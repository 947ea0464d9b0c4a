"""Compares the CPU time of each operation on two commits, and reports the changes that exceed noise.

Both commits are measured in turns. ``make bench-compare A=main B=HEAD`` runs the comparison. ``--json``
writes all figures.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.support.programs import ROOT
from tests.support.worker_process import site_environment

from .server import empty_server
from .table import note, say, show_table

PROBE = Path(__file__).with_name("probe.py")
#: Operations of each kind in one turn, and turns.
SIZES = {"small": (300, 3), "large": (3_000, 9)}
#: A smaller change is not reported, even if all turns agree.
LEAST_CHANGE = 0.05

Figures = dict[str, float]


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Yield a new work tree of ``commit`` below ``folder``. The work tree is removed at the end."""
    place = folder / f"tree{len(list(folder.iterdir()))}"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
    (place / "var").mkdir(exist_ok=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def probe(tree: Path, count: int) -> Figures:
    """Run the probe in the work tree ``tree`` with a new Redis. Returns the figures of the probe.

    The probe's database and bytecode stay in the work tree, so the next probe need not create them.
    """
    database = tree / "var" / "probe.sqlite3"
    with empty_server() as server:
        wanted = site_environment(server.url, f"sqlite:///{database}")
        wanted |= {"DJANGO_SETTINGS_MODULE": "benchmarks.task_app.settings"}
        wanted |= {
            "PYTHONPATH": str(tree),
            "PROBED": str(tree),
            "PROBED_DATABASE": str(database),
            "PYTHONDONTWRITEBYTECODE": None,
        }
        merged = {**os.environ, **wanted}
        env = {name: value for name, value in merged.items() if value is not None}
        command = [sys.executable, "-P", str(PROBE), str(count)]
        done = subprocess.run(command, env=env, cwd=tree, stdout=subprocess.PIPE, check=True, text=True)
    figures: Figures = json.loads(done.stdout)
    return figures


def change(before: Sequence[float], after: Sequence[float]) -> tuple[float, bool]:
    """The median of the ratios ``after`` / ``before`` of all turns, and whether it is more than noise.

    It is more than noise if all turns agree on the direction, and if the median differs from 1 by more than
    ``LEAST_CHANGE`` and by more than half of the range of the ratios.
    """
    ratios = sorted(new / old if old else 1.0 for old, new in zip(before, after, strict=True))
    middle = median(ratios)
    agree = ratios[0] > 1 or ratios[-1] < 1
    spread = (ratios[-1] - ratios[0]) / 2
    return middle, agree and abs(middle - 1) > max(LEAST_CHANGE, spread)


def rows(before: Sequence[Figures], after: Sequence[Figures]) -> Iterator[list[str]]:
    for name in before[0].keys() & after[0].keys():
        old, new = [one[name] for one in before], [one[name] for one in after]
        ratio, is_change = change(old, new)
        word = ("" if not is_change else "more" if ratio > 1 else "less").ljust(4)
        yield [name, f"{median(old):.1f}", f"{median(new):.1f}", f"{ratio:.2f}", word]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.compare")
    parser.add_argument("commits", nargs=2, metavar="COMMIT", help="two commits that git knows")
    parser.add_argument("--size", choices=SIZES, default="large")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures of all turns there")
    options = parser.parse_args()
    count, turns = SIZES[options.size]
    taken: tuple[list[Figures], list[Figures]] = ([], [])
    with TemporaryDirectory(prefix="compare-") as name, ExitStack() as stack:
        trees = [stack.enter_context(checked_out(commit, Path(name))) for commit in options.commits]
        sides = list(zip(trees, taken, strict=True))
        for tree in trees:
            probe(tree, 10)  # creates the database and writes the bytecode
        for turn in range(turns):
            for tree, figures in sides if turn % 2 == 0 else reversed(sides):
                figures.append(probe(tree, count))
            note(f"turn {turn + 1} of {turns}")
    if options.json:
        both = dict(zip(options.commits, taken, strict=True))
        options.json.write_text(json.dumps(both, indent=2), encoding="utf-8")
    say(f"CPU µs for each message, if the name says nothing else; medians of {turns} turns.")
    show_table(["", *options.commits, "ratio", "changed beyond noise"], sorted(rows(*taken)))


if __name__ == "__main__":
    main()
