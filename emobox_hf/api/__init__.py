"""The package from Python: what the command line does, as functions that give objects back.

    from emobox_hf import load_run, load_runs, pipeline, predict, probe

The names are those of `emobox_hf` itself, which imports this wing when one of them is first asked for.
"""
