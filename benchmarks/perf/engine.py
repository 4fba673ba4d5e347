"""`emobox bench` from a checkout, on a machine that has torch and transformers and little else.

    PYTHONPATH=. python benchmarks/perf/engine.py [--device cuda] [--shapes wavlm-large whisper-large-v3] [--out FILE]

Options are those of `emobox bench`, see `--help`. Nothing is installed, no corpus and no network is needed. The last
column of the table of encoders is the time for all 32 corpora of EmoBox at the rate measured.
"""

import sys

from emobox_hf.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
