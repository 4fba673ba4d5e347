"""EmoDB as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Emodb(emobox_hf.hub.builder.CorpusBuilder):
    """EmoDB."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("emodb")
