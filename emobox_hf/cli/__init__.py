"""The command line: `emobox VERB`."""
