"""CREMA-D as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Cremad(emobox_hf.hub.builder.CorpusBuilder):
    """CREMA-D."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("cremad")
