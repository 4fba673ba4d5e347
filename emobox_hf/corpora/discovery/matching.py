"""A specification's regular expressions on paths and keys; one that backtracks for ever is stopped and named.

Python cannot interrupt its own matching (only a signal in the main thread of a Unix process does), so a pattern that
nobody has tried, one of a corpus of one's own, first runs over the texts in a process of its own that ends itself.
"""

import json
import re
import sys
from collections.abc import Sequence

from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.errors import InputError

LIMIT_S = 5.0  # for a thousand texts; a sound pattern takes a few milliseconds
# Writes a byte before each text, so that the last one begun is known. The watchdog needs no help of the interpreter.
_TRIAL = """
import faulthandler, json, re, sys
given = json.load(sys.stdin)
match = getattr(re.compile(given["pattern"]), given["how"])
for number, text in enumerate(given["texts"]):
    if number % 1000 == 0:
        faulthandler.dump_traceback_later(given["limit_s"], exit=True)
    sys.stdout.write(".")
    sys.stdout.flush()
    match(text)
"""


def compile_path_pattern(spec: CorpusSpec) -> re.Pattern[str]:
    """The regular expression that a whole path has to match: `discovery.pattern` below any folders."""
    # the prefix is lazy, so that optional folders at the start of a pattern are tried before they are skipped
    return re.compile(rf"(?:.*?/)??(?:{spec.discovery.pattern})")


def check_pattern_ends(
    spec: CorpusSpec, field: str, pattern: re.Pattern[str], texts: Sequence[str], *, how: str = "fullmatch"
) -> None:
    """Raise an InputError if a pattern of one's own specification does not come to an end on a text.

    Args:
        spec: The corpus; the patterns of those of EmoBox are taken to be sound.
        field: What the pattern is called in the specification.
        pattern: The pattern.
        texts: Paths or keys.
        how: The method that will be called: `fullmatch` or `search`.
    """
    if not spec.file or not texts or not sys.executable:
        return
    import subprocess  # which few need

    given = {"pattern": pattern.pattern, "how": how, "texts": list(texts), "limit_s": LIMIT_S}
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _TRIAL]
    trial = subprocess.run(command, input=json.dumps(given).encode(), capture_output=True, check=False)
    if trial.returncode and b"Timeout" in trial.stderr:
        raise InputError(
            f"{spec.name_or_file}: {field} does not come to an end on {texts[len(trial.stdout) - 1]!r} within "
            f"{LIMIT_S:g} s: it holds a repeat inside a repeat, such as (a+)+, or several that can match the same "
            "letters; write it without, for example with [^/]+ between fixed separators"
        )
