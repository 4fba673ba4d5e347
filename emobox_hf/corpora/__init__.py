"""What a corpus is and where its utterances are; standard library only, and a YAML reader for segment tables."""
