"""Writes YAML that this program reads again."""

from typing import Any


def to_yaml(data: dict[str, Any]) -> str:
    """Return plain YAML without comments, tags or aliases."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(data, Dumper=Plain, sort_keys=False, allow_unicode=False, width=100)
