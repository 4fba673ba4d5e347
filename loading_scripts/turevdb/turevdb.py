"""TurEV-DB as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Turevdb(emobox_hf.hub.builder.CorpusBuilder):
    """TurEV-DB."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("turevdb")
