"""A model that answers at once, in a process of its own, until its stdin is closed.

python -m tests.benchmarks.model
"""

import sys

from tests.fake.server import FakeClaude

if __name__ == "__main__":
    with FakeClaude() as fake:
        print(fake.base_url, flush=True)
        sys.stdin.read()
