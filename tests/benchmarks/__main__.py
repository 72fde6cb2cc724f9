"""Measures what users feel, each beside a floor in the same run. Reported, never asserted.

python -m tests.benchmarks [NAME ...]: rounds, ledger, markdown, startup, replay, gigabyte, policy,
redaction; all by default.
"""

import sys
import tempfile

from tests.benchmarks.gigabyte import gigabyte
from tests.benchmarks.ledger import ledger
from tests.benchmarks.markdown import markdown
from tests.benchmarks.policy import policy
from tests.benchmarks.redaction import redaction
from tests.benchmarks.replay import replay
from tests.benchmarks.rounds import rounds
from tests.benchmarks.startup import startup


def main() -> None:
    known = {
        "rounds": rounds,
        "ledger": ledger,
        "markdown": markdown,
        "startup": startup,
        "replay": replay,
        "gigabyte": gigabyte,
        "policy": policy,
        "redaction": redaction,
    }
    for name in sys.argv[1:] or known:
        with tempfile.TemporaryDirectory() as home:
            print(f"== {name}")
            known[name](home)


if __name__ == "__main__":
    main()
