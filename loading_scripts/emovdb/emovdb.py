"""EmoV-DB as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Emovdb(emobox_hf.hub.builder.CorpusBuilder):
    """EmoV-DB."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("emovdb")
