"""Our prices against those of another, independent table."""

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.core.message import Usage
from agentcli.core.price import LongPrompt, ModelInfo, Prices, price_uusd
from agentcli.model.catalog import load_catalog

CATALOG = load_catalog([Path(__file__).parents[2] / "configs" / "models.yaml"])
# The other table does not know them.
ONLY_OURS = {"claude-mythos-5-1", "claude-mythos-5"}
INFO = ModelInfo("m", Prices(2, 10, 3, 4, 1), long_prompt=LongPrompt(100, 5))

few = st.integers(0, 400_000)
usages = st.builds(Usage, few, few, few, few, few, few)


def theirs_uusd(model: str, usage: Usage) -> float:
    import genai_prices

    # Their input tokens include those of the cache.
    counted = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )
    when = datetime.datetime.now(datetime.UTC)
    price = genai_prices.calc_price(
        counted, model, provider_id="anthropic", genai_request_timestamp=when
    )
    return float(price.total_price * 1_000_000)


@pytest.mark.parametrize("model", sorted(CATALOG.models.keys() - ONLY_OURS))
@pytest.mark.parametrize(
    "usage",
    [
        Usage(1_000, 0),
        Usage(0, 1_000),
        Usage(0, 0, 1_000),
        Usage(0, 0, 0, 1_000),
        Usage(0, 0, 0, 0, 1_000),
        Usage(50_000, 2_000, 30_000, 20_000),
        Usage(50_001, 2_000, 30_000, 20_000),
        Usage(10, 128_000, 700_000, 1_000, 2_000),
    ],
    ids=repr,
)
def test_another_table_gives_the_same_price(model: str, usage: Usage) -> None:
    info = CATALOG.find(model)
    assert info is not None
    if 0 < info.context_tokens < usage.prompt_tokens:
        usage = Usage(usage.input_tokens, usage.output_tokens)
    assert price_uusd(info, usage) == pytest.approx(theirs_uusd(model, usage), abs=1)


@given(usages)
def test_no_part_of_a_micro_dollar_is_lost(usage: Usage) -> None:
    exact = (
        2 * usage.input_tokens
        + 10 * usage.output_tokens
        + usage.cache_read_tokens
        + 3 * usage.cache_write_5m_tokens
        + 4 * usage.cache_write_1h_tokens
    ) * (5 if usage.prompt_tokens > 100 else 1)
    assert 0 <= price_uusd(INFO, usage) * 1_000_000 - exact < 1_000_000


@settings(max_examples=50)
@given(usages, usages)
def test_more_tokens_never_cost_less(usage: Usage, more: Usage) -> None:
    both = Usage(
        usage.input_tokens + more.input_tokens,
        usage.output_tokens + more.output_tokens,
        usage.cache_read_tokens + more.cache_read_tokens,
        usage.cache_write_5m_tokens + more.cache_write_5m_tokens,
        usage.cache_write_1h_tokens + more.cache_write_1h_tokens,
    )
    assert price_uusd(INFO, both) >= price_uusd(INFO, usage)


def test_a_long_prompt_counts_its_cached_part_and_prices_the_output_too() -> None:
    million = ModelInfo(
        "m", Prices(10**6, 10**6, 10**6, 10**6, 10**6), long_prompt=INFO.long_prompt
    )
    assert price_uusd(million, Usage(50, 10, 50)) == 110
    assert price_uusd(million, Usage(50, 10, 51)) == 5 * 111


def test_thinking_is_not_paid_twice() -> None:
    assert price_uusd(INFO, Usage(0, 10**6, thinking_tokens=10**6)) == 10
