"""MESD as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Mesd(emobox_hf.hub.builder.CorpusBuilder):
    """MESD."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("mesd")
