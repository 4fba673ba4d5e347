"""MEAD as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Mead(emobox_hf.hub.builder.CorpusBuilder):
    """MEAD."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("mead")
