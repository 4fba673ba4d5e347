"""Makes `emobox/<corpus>` and `emobox/ser_metrics` known to `datasets` and `evaluate`, without importing either.

Both libraries turn an id into a module in one factory function; the hooks below replace that function when the library
is first imported. Ids that do not begin with `emobox/`, and folders of that name on disk, go to the library's own.
"""

import functools
import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

OWNER = "emobox/"
METRIC = "ser_metrics"


def register() -> None:
    """Hook the factories of `datasets` and `evaluate`, now or when they are first imported.

    Where neither is installed there is nothing to hook, and wrapt is not asked for: a machine that only computes.
    """
    if not any(importlib.util.find_spec(name) for name in ("datasets", "evaluate")):
        return
    import wrapt

    for module in ("datasets.load", "datasets.inspect"):
        wrapt.register_post_import_hook(_hook("dataset_module_factory", _find_corpus_module), module)
    for module in ("evaluate.loading", "evaluate.inspect"):
        wrapt.register_post_import_hook(_hook("evaluation_module_factory", _find_metric_module), module)


def _hook(name: str, find: Callable[[str], Any]) -> Callable[[ModuleType], None]:
    def replace(module: ModuleType) -> None:
        original = getattr(module, name)

        @functools.wraps(original)
        def factory(path: str, *args: Any, **kwargs: Any) -> Any:
            found = find(str(path))
            return original(path, *args, **kwargs) if found is None else found

        setattr(module, name, factory)

    return replace


def _find_corpus_module(path: str) -> Any:
    """The `datasets` module of a corpus, or None for an id that is not ours or a built folder of that name."""
    if not path.startswith(OWNER) or Path(path, "README.md").is_file():
        return None
    from datasets.load import BuilderConfigsParameters, DatasetModule

    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.hub.builder import corpus_configs, fingerprint

    corpus = path.removeprefix(OWNER)  # a name, or the path of a spec of one's own: emobox/./mine.toml
    spec = load_spec(corpus)
    return DatasetModule(
        "emobox_hf.hub.builder",
        fingerprint(spec),
        {"dataset_name": spec.name},
        BuilderConfigsParameters(builder_configs=corpus_configs(corpus)),
    )


def _find_metric_module(path: str) -> Any:
    """The `evaluate` module of the metric, or None for an id that is not ours or a built folder of that name."""
    if path != OWNER + METRIC or Path(path, f"{METRIC}.py").is_file():
        return None
    from evaluate.loading import ImportableModule

    from emobox_hf import __version__

    return ImportableModule(f"emobox_hf.metrics.{METRIC}.{METRIC}", hashlib.sha256(__version__.encode()).hexdigest())
