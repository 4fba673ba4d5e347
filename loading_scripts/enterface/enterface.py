"""eNTERFACE'05 as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Enterface(emobox_hf.hub.builder.CorpusBuilder):
    """eNTERFACE'05."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("enterface")
