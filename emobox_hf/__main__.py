"""`python -m emobox_hf VERB` and `accelerate launch -m emobox_hf VERB`: the command line."""

import sys

from emobox_hf.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
