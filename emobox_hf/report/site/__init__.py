"""A static site of finished runs: it opens from disk, and asks no other address for anything.

`build.build_site` reads the records and, of each run once, the predictions; a page is a frozen dataclass, made by the
module that is named after it and written by the template of the same name. Names of corpora, encoders, speakers and
utterances are what the owner of a run typed: templates escape them, `render.to_script` does in embedded JSON, and
`slugs` makes file names of them.
"""

from emobox_hf.report.site.build import build_site

__all__ = ["build_site"]
