"""EMOVO as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Emovo(emobox_hf.hub.builder.CorpusBuilder):
    """EMOVO."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("emovo")
