"""What a copy of a corpus on disk is worth: whether everything decodes, and which recordings are there twice."""
