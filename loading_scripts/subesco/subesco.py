"""SUBESCO as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Subesco(emobox_hf.hub.builder.CorpusBuilder):
    """SUBESCO."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("subesco")
