"""Contamination: scores of encoders that met the tested corpus, or chose what is tested, while they were made."""

from emobox_hf.encoders.known.table import find_known
from emobox_hf.report.collect import Run

NOTE = "†: the encoder was trained or tuned on the tested corpus, or chose the utterances that are tested"


def is_contaminated(run: Run) -> bool:
    """Whether a run's encoder is known to have been trained on the tested corpus, or to have chosen its test set."""
    known = find_known(run.encoder)
    if run.test_set_chosen_by and run.test_set_chosen_by in (run.encoder, known and known.id, known and known.repo_id):
        return True
    if known is None:
        return False
    chose = run.test_set == "balanced" and run.tested in known.chose_test_sets
    return chose or run.tested in known.trained_on
