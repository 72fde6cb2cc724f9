"""Small statistics."""


def median(values):
    """Return the middle value, or the mean of the two middle ones."""
    if not values:
        raise ValueError("no values")
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle] + values[middle + 1]) / 2
