"""Modules for `evaluate`, installed as `emobox_hf.metrics`."""
