"""What is known of licences: their identifier on the Hub, and whether anyone may pass on a built corpus.

What `emobox build` makes of a corpus is a converted copy: cut, at 16 kHz, one channel.
"""

from dataclasses import dataclass

NO_DERIVATIVES = "allows no derivatives, and a built copy is one: cut, at 16 kHz, one channel"
NOT_KNOWN = "is not known to let anyone pass on a converted copy"


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: `hub_id` in the header of a card; `bar` says why a built copy may not be public, empty if it may."""

    hub_id: str
    bar: str = ""


# By the words of a spec. Non-commercial (NC) and share-alike (SA, ODbL) ones allow it: the Hub charges nothing, and the
# card names the same licence.
LICENCES = {
    "Apache-2.0": Licence("apache-2.0"),
    "CC BY 3.0": Licence("cc-by-3.0"),
    "CC BY 4.0": Licence("cc-by-4.0"),
    "CC BY-NC 4.0": Licence("cc-by-nc-4.0"),
    "CC BY-NC-ND 4.0": Licence("cc-by-nc-nd-4.0", NO_DERIVATIVES),
    "CC BY-NC-SA 3.0": Licence("cc-by-nc-sa-3.0"),
    "CC BY-NC-SA 4.0": Licence("cc-by-nc-sa-4.0"),
    "CC BY-ND 4.0": Licence("cc-by-nd-4.0", NO_DERIVATIVES),
    "CC BY-SA 4.0": Licence("cc-by-sa-4.0"),
    "CC0 1.0": Licence("cc0-1.0"),
    "GPL-3.0": Licence("gpl-3.0"),
    "MIT": Licence("mit"),
    "Open Data Commons Attribution License (ODC-By) 1.0": Licence("odc-by"),
    "Open Database License (ODbL) 1.0": Licence("odbl"),
    "not stated": Licence("unknown", NOT_KNOWN),
    "not verified; see the home page": Licence("unknown", NOT_KNOWN),
}


def find_licence(words: str) -> Licence:
    """The licence that a spec names; other words, or further ones, are a licence of their own, for a person to read.

    >>> find_licence("CC BY 4.0")
    Licence(hub_id='cc-by-4.0', bar='')
    >>> find_licence("CC BY 4.0 for the labels")
    Licence(hub_id='other', bar='is not known to let anyone pass on a converted copy')
    """
    return LICENCES.get(words, Licence("other", NOT_KNOWN))
