"""ASVP-ESD as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Asvpesd(emobox_hf.hub.builder.CorpusBuilder):
    """ASVP-ESD."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("asvpesd")
