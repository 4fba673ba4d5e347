"""What a run was and what came out of it: the tree of settings, the record, the predictions."""

from emobox_hf.results.predictions import (
    PREDICTIONS,
    FoldPredictions,
    join_folds,
    number_references,
    read_prediction_table,
    read_predictions,
)
from emobox_hf.results.probe_file import PROBE, KeptProbe, ProbeFile, read_probes
from emobox_hf.results.records import (
    RECORD,
    SCHEMA,
    FoldRecord,
    LayerRecord,
    RunRecord,
    is_finished,
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
from emobox_hf.results.summary import ScoreSummary, compare, estimate_parts, list_parts, pool_folds, summarize

__all__ = [
    "ALL_LAYERS",
    "LAST",
    "PREDICTIONS",
    "PROBE",
    "RECORD",
    "SCHEMA",
    "AudioSettings",
    "CorpusSettings",
    "EncoderSettings",
    "FeatureSettings",
    "FoldPredictions",
    "FoldRecord",
    "KeptProbe",
    "LayerRecord",
    "PartitionSettings",
    "ProbeFile",
    "RunRecord",
    "RunSettings",
    "ScoreSummary",
    "compare",
    "estimate_parts",
    "is_finished",
    "join_folds",
    "list_parts",
    "number_references",
    "pool_folds",
    "read_prediction_table",
    "read_predictions",
    "read_probes",
    "read_record",
    "record_to_json",
    "summarize",
    "write_run",
]
