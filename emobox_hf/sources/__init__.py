"""Where corpora and small encoders come from: homes on the web, resumed downloads, archives, the registry."""
