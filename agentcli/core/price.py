"""What a reply costs, in whole micro-dollars."""

from agentcli.core.message import Usage
from agentcli.core.record import Record


class Prices(Record, frozen=True):
    """Micro-dollars for each million tokens."""

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int


class LongPrompt(Record, frozen=True):
    """From a prompt of more than `above_tokens`, cached or not, all of the request costs more."""

    above_tokens: int
    multiplier: int


class ModelInfo(Record, frozen=True):
    """What is known of a model. Limits are in tokens, 0 where they are not known.

    min_cacheable_tokens: a shorter prompt is not cached.
    """

    id: str
    prices: Prices
    context_tokens: int = 0
    max_output_tokens: int = 0
    min_cacheable_tokens: int = 0
    long_prompt: LongPrompt | None = None


def price_uusd(info: ModelInfo, usage: Usage) -> int:
    """Return what the usage costs in micro-dollars, rounded up.

    Thinking is part of the output tokens and costs what they cost.
    """
    prices = info.prices
    picodollars = (
        usage.input_tokens * prices.input
        + usage.output_tokens * prices.output
        + usage.cache_write_5m_tokens * prices.cache_write_5m
        + usage.cache_write_1h_tokens * prices.cache_write_1h
        + usage.cache_read_tokens * prices.cache_read
    )
    tier = info.long_prompt
    if tier is not None and usage.prompt_tokens > tier.above_tokens:
        picodollars *= tier.multiplier
    return -(-picodollars // 1_000_000)
