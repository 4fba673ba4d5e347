"""Baselines: what can be told of an emotion by a clip's length, its speaker, its sentence or plain acoustics."""
