"""The command line of the comparisons."""

from __future__ import annotations

import argparse
import sys

from core.access.actor import owner, resolve_with
from core.bench.run import BenchHooks, run_bench
from core.commands.bench import show_outcome
from core.commands.shared.printing import progress
from core.errors import CoreError
from core.settings import data_folder, load_settings
from core.system.private_files import keep_private
from core.system.thread_env import let_threads_wait
from tests.benchmarks.parts import PARTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(PARTS), default=[], help="a part; may be repeated")
    parser.add_argument("--large", action="store_true", help="also search among a million templates (about 8 GB)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, which only show that everything works")
    parser.add_argument("--weights", metavar="FILE|NAME", help="encoder weights; default: those in use")
    given = parser.parse_args()
    keep_private(data_folder())
    resolve_with(owner)
    let_threads_wait()
    try:
        outcome = run_bench(
            load_settings(), parts=PARTS, hooks=BenchHooks(on_step=lambda text: progress(f"{text} ...")), **vars(given)
        )
    except CoreError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    progress("")
    show_outcome(outcome)
    return 0


sys.exit(main())
