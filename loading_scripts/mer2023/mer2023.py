"""MER2023 as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Mer2023(emobox_hf.hub.builder.CorpusBuilder):
    """MER2023."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("mer2023")
