"""How many made-up secrets are found, how many other texts are marked, and how long a MB takes."""

import time

from agentcli.core.redact import Redactor
from tests.fake.secrets import harmless, samples

SEED, EACH, SIZE = 23, 50, 1_000_000


def redaction(_home: str) -> None:
    redactor = Redactor(b"k" * 32, ["a-known-value-1234"])
    made = list(samples(EACH, SEED))
    found = sum(sample.secret not in redactor.clean(sample.text) for sample in made)
    others = list(harmless(SEED))
    marked = sum(redactor.clean(text) != text for text in others)
    print(f"seed {SEED}: {found} of {len(made)} secrets of 23 types found")
    print(f"{marked} of {len(others)} kinds of other texts marked")
    prose = "The quick brown fox reads tests/core/test_redact.py and writes 17 lines of it.\n"
    for name, lines in (("prose and code", prose), ("near misses", "\n".join(others) + "\n")):
        text = (lines * (SIZE // len(lines) + 1))[:SIZE]
        least = min(seconds(redactor, text) for _ in range(5))
        print(f"{name}: {least:.3f} s per MB")


def seconds(redactor: Redactor, text: str) -> float:
    begin = time.process_time()
    redactor.clean(text)
    return time.process_time() - begin
