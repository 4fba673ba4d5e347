"""The doors through which `datasets`, `evaluate` and the Hub see the corpora and the metric."""
