"""Words that many commands say alike."""


def counted(count: int, noun: str) -> str:
    """Return a number and what it is of: 1 record, 2,000 records."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"
