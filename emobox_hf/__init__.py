"""EmoBox on Hugging Face: speech-emotion corpora, one probe, one metric.

Importing this module makes `datasets.load_dataset("emobox/<corpus>", "<fold>")` and
`evaluate.load("emobox/ser_metrics")` work; it loads neither `datasets` nor `torch`.
"""

__version__ = "0.1.0"

from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.errors import InputError
from emobox_hf.hub.register import register

__all__ = ["InputError", "__version__", "build_manifest", "list_configs", "list_corpora", "load_spec", "partition"]

register()
