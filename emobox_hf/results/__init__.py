"""What a run was and what came out of it: the tree of settings, the record, the predictions."""

from emobox_hf.results.records import (
    PREDICTIONS,
    RECORD,
    SCHEMA,
    FoldPredictions,
    FoldRecord,
    LayerRecord,
    RunRecord,
    is_finished,
    read_predictions,
    read_record,
    record_to_json,
    write_run,
)
from emobox_hf.results.settings import (
    ALL_LAYERS,
    LAST,
    AudioSettings,
    CorpusSettings,
    EncoderSettings,
    FeatureSettings,
    PartitionSettings,
    RunSettings,
)

__all__ = [
    "ALL_LAYERS",
    "LAST",
    "PREDICTIONS",
    "RECORD",
    "SCHEMA",
    "AudioSettings",
    "CorpusSettings",
    "EncoderSettings",
    "FeatureSettings",
    "FoldPredictions",
    "FoldRecord",
    "LayerRecord",
    "PartitionSettings",
    "RunRecord",
    "RunSettings",
    "is_finished",
    "read_predictions",
    "read_record",
    "record_to_json",
    "write_run",
]
