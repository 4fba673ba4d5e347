"""The sampling rate of sound in this package."""

SAMPLE_RATE_HZ = 16_000
"""Hertz: what `audio` brings every utterance to, and what encoders are given."""
