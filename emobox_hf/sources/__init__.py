"""Where corpora and small encoders come from: sites on the web, resumed downloads, archives, the registry."""
