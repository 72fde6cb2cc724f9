"""The table of models that ships, and files that change it."""

import datetime
from pathlib import Path

import pytest

from agentcli.core.price import LongPrompt, ModelInfo, Prices
from agentcli.errors import ConfigError, MissingFileError
from agentcli.model.catalog import load_catalog

SHIPPED = Path(__file__).parents[2] / "configs" / "models.yaml"
PRICES = '[{input: "1", output: "2", cache_write_5m: "3", cache_write_1h: "4", cache_read: "0.5"}]'


def write(folder: Path, text: str) -> Path:
    path = folder / "models.yaml"
    path.write_text(text)
    return path


def test_the_default_is_known_with_all_its_figures() -> None:
    catalog = load_catalog([SHIPPED])
    assert catalog.default == "claude-sonnet-5-5"
    assert catalog.find(catalog.default, datetime.date(2026, 11, 23)) == ModelInfo(
        "claude-sonnet-5-5",
        Prices(2_000_000, 10_000_000, 2_500_000, 4_000_000, 100_000),
        context_tokens=1_000_000,
        max_output_tokens=128_000,
        min_cacheable_tokens=512,
    )


def test_a_price_holds_from_its_day() -> None:
    catalog = load_catalog([SHIPPED])
    before = catalog.find("claude-sonnet-5-5", datetime.date(2026, 10, 6))
    after = catalog.find("claude-sonnet-5-5", datetime.date(2026, 10, 7))
    assert before is not None
    assert after is not None
    assert (before.prices.cache_read, after.prices.cache_read) == (200_000, 100_000)


def test_haiku_costs_more_with_a_long_prompt() -> None:
    info = load_catalog([SHIPPED]).find("claude-haiku-5-5")
    assert info is not None
    assert info.long_prompt == LongPrompt(100_000, 5)


def test_writing_to_the_cache_costs_what_it_costs_everywhere() -> None:
    catalog = load_catalog([SHIPPED])
    for model in catalog.models:
        info = catalog.find(model)
        assert info is not None
        prices = info.prices
        assert prices.cache_write_5m * 4 == prices.input * 5
        assert prices.cache_write_1h == prices.input * 2
        assert prices.cache_read < prices.input < prices.output


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-opus-5", "claude-opus-5"),
        ("opus", "claude-opus-5-5"),
        ("claude-opus-4-5-2025110", None),
        ("claude-opus-4-5-20251101-20251101", None),
        ("claude-opus", None),
        ("", None),
    ],
)
def test_a_model_is_found_by_its_id_with_or_without_a_date(asked: str, found: str | None) -> None:
    info = load_catalog([SHIPPED]).find(asked)
    assert (info and info.id) == found


def test_a_later_file_adds_and_replaces_whole_models(tmp_path: Path) -> None:
    mine = write(
        tmp_path, f"models: {{mine: {{prices: {PRICES}}}, claude-opus-5: {{prices: {PRICES}}}}}"
    )
    catalog = load_catalog([SHIPPED, mine])
    prices = Prices(1_000_000, 2_000_000, 3_000_000, 4_000_000, 500_000)
    assert catalog.find("mine") == ModelInfo("mine", prices)
    assert catalog.find("claude-opus-5") == ModelInfo("claude-opus-5", prices)
    assert catalog.default == "claude-sonnet-5-5"


def test_a_later_file_may_name_another_default(tmp_path: Path) -> None:
    mine = write(tmp_path, "default: claude-haiku-5-5")
    assert load_catalog([SHIPPED, mine]).default == "claude-haiku-5-5"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("default: gpt", "`default` must name a known model, got gpt"),
        (
            f"models: {{m: {{prices: {PRICES}, contxt_tokens: 3}}}}",
            "did you mean `context_tokens`?",
        ),
        ("models: {m: {prices: []}}", "models.yaml:1:22: models.m.prices: must have at least 1"),
        ("models: {m: {}}", "models.m.prices: is missing"),
        (f"models: {{m: {{prices: {PRICES.replace('1', '-1', 1)}}}}}", "must be at least 0"),
        (f"models: {{m: {{prices: {PRICES.replace('1', 'NaN', 1)}}}}}", "models.m.prices.0.input"),
        (
            f"models: {{m: {{prices: {PRICES.replace('1', 'a lot', 1)}}}}}",
            "models.m.prices.0.input",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalog([SHIPPED, write(tmp_path, text)])
    assert "models.yaml" in str(caught.value)
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        load_catalog([tmp_path / "nowhere.yaml"])
