"""JL-Corpus as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Jlcorpus(emobox_hf.hub.builder.CorpusBuilder):
    """JL-Corpus."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("jlcorpus")
