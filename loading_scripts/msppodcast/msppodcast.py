"""MSP-Podcast as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Msppodcast(emobox_hf.hub.builder.CorpusBuilder):
    """MSP-Podcast."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("msppodcast")
