"""RESD as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Resd(emobox_hf.hub.builder.CorpusBuilder):
    """RESD."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("resd")
