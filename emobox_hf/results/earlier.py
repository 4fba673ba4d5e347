"""Records that earlier versions of this package wrote, in today's form."""

from typing import Any


def bring_up_to_date(table: dict[str, Any]) -> dict[str, Any]:
    """A record's JSON in the present schema, from any that is known; another one is given back as it is."""
    if table["schema"] == 3:
        table = _from_schema_3(table)
    if table["schema"] == 4:
        table = _from_schema_4(table)
    return {**table, "schema": 6} if table["schema"] == 5 else table  # that had no digests


def _from_schema_4(table: dict[str, Any]) -> dict[str, Any]:
    """All seeds shared one validation part, and no interval was kept."""
    settings = table["settings"]
    partition = {**settings["partition"], "validation_draws": "same"}
    return {**table, "schema": 5, "settings": {**settings, "partition": partition}}


def _from_schema_3(table: dict[str, Any]) -> dict[str, Any]:
    """Settings were nested dictionaries that differed between experiments; digests of splits stood at folds alone."""
    old = table["settings"]
    corpus, classes = old["corpus"], old.get("classes", {})
    sources = old.get("sources") or [corpus]
    folds = list(dict.fromkeys(fold["fold"] for fold in table["folds"]))
    partition = {
        "name": corpus["name"],
        "folds": corpus.get("folds", folds),
        "all_folds": corpus.get("all_folds", True),
        "digests": {fold["fold"]: fold["digests"] for fold in table["folds"]},
        "trained_labels": classes.get("trained", table["labels"]),
        "scored_labels": classes.get("scored", table["labels"]),
        "labels": corpus.get("labels", ""),
        "test_set": corpus.get("test_set", ""),
        "test_set_chosen_by": corpus.get("test_set_chosen_by", ""),
    }
    settings = {
        **{name: old[name] for name in ("experiment", "package", "encoder", "audio", "features", "probe")},
        "corpora": [_corpus(source) for source in sources],
        "partition": partition,
    }
    return {**table, "schema": 4, "settings": settings}


def _corpus(source: dict[str, Any]) -> dict[str, Any]:
    """A corpus's settings; where names of missing utterances were not known, their number stood in their place."""
    missing = source.get("missing", [])
    names = ("name", "version", "spec_sha256", "audio_sha256")
    told: dict[str, Any] = {name: source[name] for name in names if name in source}
    if isinstance(missing, int):
        return {**told, "missing": [], "n_absent": missing}
    return {**told, "missing": missing, "n_absent": len(missing)}
