"""Makes `emobox/<corpus>` and `emobox/ser_metrics` known to `datasets` and `evaluate`, without importing either.

Both libraries turn an id into a module in one factory function; the hooks below replace that function when the library
is first imported. Ids that do not begin with `emobox/`, and folders of that name on disk, go to the library's own.
"""

import functools
import hashlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from emobox_hf.errors import InputError, suggest

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


Arguments = Mapping[str, Any]
"""What a factory was called with, by the names of its parameters."""


def _hook(name: str, find: Callable[[str, Arguments], Any]) -> Callable[[ModuleType], None]:
    def replace(module: ModuleType) -> None:
        original = getattr(module, name)
        signature = inspect.signature(original)

        @functools.wraps(original)
        def factory(path: str, *args: Any, **kwargs: Any) -> Any:
            found = find(str(path), signature.bind(path, *args, **kwargs).arguments)
            return original(path, *args, **kwargs) if found is None else found

        setattr(module, name, factory)

    return replace


def _find_corpus_module(path: str, arguments: Arguments) -> Any:
    """The `datasets` module of a corpus, or None for an id that is not ours or a built folder of that name.

    Raises:
        InputError: There is no such corpus, or an argument asks for what a corpus on disk does not have.
    """
    if not path.startswith(OWNER) or _is_for_the_folder(path, arguments.get("data_dir")):
        return None
    from datasets.load import BuilderConfigsParameters, DatasetModule

    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.hub.builder import corpus_configs, fingerprint

    if path == OWNER + METRIC:
        raise InputError(f"{path} is a metric: evaluate.load({path!r}) loads it")
    corpus = path.removeprefix(OWNER)  # a name, or the path of a spec of one's own: emobox/./mine.toml
    spec = load_spec(corpus)
    if arguments.get("revision") is not None:
        raise InputError(
            f"{path} is read from the corpus on disk, which has no revision {arguments['revision']!r}; leave it out. A "
            "repository on the Hub is named by its owner"
        )
    return DatasetModule(
        "emobox_hf.hub.builder",
        fingerprint(spec),
        {"dataset_name": spec.name},
        BuilderConfigsParameters(builder_configs=corpus_configs(corpus)),
    )


def _is_for_the_folder(path: str, data_dir: str | None) -> bool:
    """Whether a folder that `emobox build` wrote is meant, not the corpus that `data_dir` names."""
    is_built = Path(path, "README.md").is_file()
    return is_built and (data_dir is None or (Path(path, data_dir).is_dir() and not Path(data_dir).is_dir()))


def _find_metric_module(path: str, arguments: Arguments) -> Any:
    """The `evaluate` module of the metric, or None for an id that is not ours or a built folder of that name.

    Raises:
        InputError: The id is close to the metric's, but not it, or a revision is asked for.
    """
    if not path.startswith(OWNER) or any(Path(path).glob("*.py")):
        return None
    if path != OWNER + METRIC:
        raise InputError(f"no metric {path!r}{suggest(path, [OWNER + METRIC])}; corpora are loaded by load_dataset")
    if arguments.get("revision") is not None:
        raise InputError(f"{path} comes with this package and has no revision {arguments['revision']!r}; leave it out")
    from evaluate.loading import ImportableModule

    from emobox_hf import __version__

    return ImportableModule(f"emobox_hf.metrics.{METRIC}.{METRIC}", hashlib.sha256(__version__.encode()).hexdigest())
