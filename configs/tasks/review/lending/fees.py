"""What it costs to bring a book back late."""

from datetime import date

CENTS_A_DAY = 20
MOST_CENTS = 1000
FREE_DAYS = 3


def late_fee_cents(due: date, returned: date) -> int:
    """Return the fee for a book, in cents. The first FREE_DAYS days cost nothing."""
    late = (returned - due).days
    if late < FREE_DAYS:
        return 0
    return min(late * CENTS_A_DAY, MOST_CENTS)
