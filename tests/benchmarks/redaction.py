"""How many made-up secrets are found, how many other texts are marked, and how long a MB takes."""

import time

from agentcli.core.redact import Redactor
from tests.fake import personal
from tests.fake.secrets import harmless, samples

# The rules were made with the first of these at hand; the others say how they do on new texts.
SEEDS, EACH, SIZE = (23, 11, 12, 13), 50, 1_000_000


def redaction(_home: str) -> None:
    redactor = Redactor(b"k" * 32, ["a-known-value-1234"])
    for seed in SEEDS:
        made, others = list(samples(EACH, seed)), list(harmless(seed))
        found = sum(sample.secret not in redactor.clean(sample.text) for sample in made)
        marked = sum(redactor.clean(text) != text for text in others)
        print(
            f"seed {seed}: {found} of {len(made)} secrets of 23 types found; "
            f"{marked} of {len(others)} kinds of other texts marked"
        )
    both = Redactor(b"k" * 32, pii="redact")
    for seed in SEEDS:
        made, others = list(personal.samples(EACH, seed)), list(personal.lookalikes(seed))
        found = sum(sample.secret not in both.clean(sample.text) for sample in made)
        marked = sum(both.clean(text) != text for text in others)
        print(
            f"seed {seed}: {found} of {len(made)} personal data of 5 kinds found; "
            f"{marked} of {len(others)} texts that only look so marked"
        )
    prose = "The quick brown fox reads tests/core/test_redact.py and writes 17 lines of it.\n"
    near = "\n".join(harmless(SEEDS[0])) + "\n"
    alike = "\n".join(personal.lookalikes(SEEDS[0])) + "\n"
    texts = {"prose and code": prose, "near misses": near, "those of personal data": alike}
    for name, lines in texts.items():
        text = (lines * (SIZE // len(lines) + 1))[:SIZE]
        # One engine takes ASCII alone, so that other text is put into it first.
        for how, whole in (("", text), (", with an é", text[:-1] + "é")):
            plain, more = (min(seconds(one, whole) for _ in range(5)) for one in (redactor, both))
            print(f"{name}{how}: {plain:.3f} s per MB, {more:.3f} with personal data")


def seconds(redactor: Redactor, text: str) -> float:
    begin = time.process_time()
    redactor.clean(text)
    return time.process_time() - begin
