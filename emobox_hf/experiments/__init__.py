"""Experiments: each joins corpora, encoders, features, probes and scores for one question."""
