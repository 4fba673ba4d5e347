"""M3ED as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class M3ed(emobox_hf.hub.builder.CorpusBuilder):
    """M3ED."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("m3ed")
