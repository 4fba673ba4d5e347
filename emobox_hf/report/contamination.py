"""Contamination: scores of encoders that met the tested corpus, or chose what is tested, while they were made."""

from emobox_hf.encoders.known.table import find_known
from emobox_hf.report.collect import Run

NOTE = "†: the encoder was trained or tuned on the tested corpus, or chose the utterances that are tested"


def is_contaminated(run: Run) -> bool:
    """Whether a run's encoder is known to have been trained on the tested corpus, or to have chosen its test set."""
    known, partition, tested = find_known(run.encoder), run.settings.partition, run.settings.tested
    chosen_by = partition.test_set_chosen_by
    if chosen_by and chosen_by in (run.encoder, known and known.id, known and known.repo_id):
        return True
    if known is None:
        return False
    return tested in known.trained_on or (partition.test_set == "balanced" and tested in known.chose_test_sets)
