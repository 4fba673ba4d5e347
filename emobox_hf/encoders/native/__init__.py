"""data2vec 2.0 and emotion2vec as transformers models, which transformers itself lacks.

Cheap to import: torch and transformers are loaded by `register_native_models`.
"""

MODEL_TYPE = "emobox-data2vec2"


def register_native_models() -> None:
    """Make transformers' `AutoConfig`, `AutoModel` and their like know the models of this package; once is enough."""
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification

    from emobox_hf.encoders.native.config import Data2Vec2Config
    from emobox_hf.encoders.native.extractor import Data2Vec2FeatureExtractor
    from emobox_hf.encoders.native.model import Data2Vec2ForSequenceClassification, Data2Vec2Model

    AutoConfig.register(MODEL_TYPE, Data2Vec2Config, exist_ok=True)
    AutoModel.register(Data2Vec2Config, Data2Vec2Model, exist_ok=True)
    AutoModelForAudioClassification.register(Data2Vec2Config, Data2Vec2ForSequenceClassification, exist_ok=True)
    AutoFeatureExtractor.register(Data2Vec2Config, Data2Vec2FeatureExtractor, exist_ok=True)
