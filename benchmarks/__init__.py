"""The paper's tables and the settings of experiments, installed as `emobox_hf.benchmarks`."""
