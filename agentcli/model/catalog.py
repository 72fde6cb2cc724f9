"""The known models and their prices, from models.yaml."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentcli.core.price import LongPrompt, ModelInfo, Prices
from agentcli.document import Document, read_document
from agentcli.errors import ConfigError

Dollars = Annotated[Decimal, Field(ge=0, decimal_places=6)]
Tokens = Annotated[int, Field(ge=1)]


class PriceEntry(Document):
    """Dollars for each million tokens."""

    effective_from: datetime.date | None = None
    input: Dollars
    output: Dollars
    cache_write_5m: Dollars
    cache_write_1h: Dollars
    cache_read: Dollars


class LongPromptEntry(Document):
    above_tokens: Tokens
    multiplier: Tokens


class ModelEntry(Document):
    aliases: tuple[str, ...] = ()
    context_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    min_cacheable_tokens: Tokens | None = None
    long_prompt: LongPromptEntry | None = None
    prices: Annotated[tuple[PriceEntry, ...], Field(min_length=1)]


class ModelsFile(Document):
    default: str | None = None
    models: dict[str, ModelEntry] = {}


@dataclass(frozen=True)
class Catalog:
    """What is known. `default`: the id of the model to use where none is named."""

    default: str
    models: Mapping[str, ModelEntry]

    def find(self, model_id: str, on: datetime.date | None = None) -> ModelInfo | None:
        """Return the model of an id, an alias or an id with a date, as priced on a day.

        on: None for today, in UTC.
        """
        plain = re.sub(r"([-@]\d{8}|-latest)$", "", model_id)
        for known, entry in self.models.items():
            if known in (model_id, plain) or model_id in entry.aliases:
                return info_of(known, entry, on or datetime.datetime.now(datetime.UTC).date())
        return None


def load_catalog(paths: Sequence[Path]) -> Catalog:
    """Return the models of all files; what a later one says of a model replaces an earlier one.

    Raises ConfigError or MissingFileError with the place of what is wrong.
    """
    default, models = "", dict[str, ModelEntry]()
    for path in paths:
        file = read_document(path, ModelsFile)
        default, models = file.default or default, models | file.models
    catalog = Catalog(default, models)
    if catalog.find(default) is None:
        files = ", ".join(map(str, paths))
        raise ConfigError(f"{files}: `default` must name a known model, got {default or 'nothing'}")
    return catalog


def info_of(model_id: str, entry: ModelEntry, on: datetime.date) -> ModelInfo:
    def starts(price: PriceEntry) -> datetime.date:
        return price.effective_from or datetime.date.min

    by_date = sorted(entry.prices, key=starts)
    # Before the first date, the first price is the best guess.
    price = next((price for price in reversed(by_date) if starts(price) <= on), by_date[0])
    tier = entry.long_prompt
    return ModelInfo(
        model_id,
        Prices(
            input=uusd(price.input),
            output=uusd(price.output),
            cache_write_5m=uusd(price.cache_write_5m),
            cache_write_1h=uusd(price.cache_write_1h),
            cache_read=uusd(price.cache_read),
        ),
        context_tokens=entry.context_tokens or 0,
        max_output_tokens=entry.max_output_tokens or 0,
        min_cacheable_tokens=entry.min_cacheable_tokens or 0,
        long_prompt=LongPrompt(tier.above_tokens, tier.multiplier) if tier else None,
    )


def uusd(dollars: Decimal) -> int:
    return int(dollars * 1_000_000)
