"""Oréau as in EmoBox, for datasets 3.x; the card beside it says more."""

import emobox_hf.hub.builder


class Oreau(emobox_hf.hub.builder.CorpusBuilder):
    """Oréau."""

    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("oreau")
