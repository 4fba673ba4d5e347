"""Generated texts: cards, loading scripts and the README's table from the corpora's specs, the metric's list of scores.

`python -m emobox_hf.hub.cards` writes them into a checkout again; a test fails when they differ from their source.
"""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from emobox_hf.corpora.audit import audit_partition, summarize_audit
from emobox_hf.corpora.configurations import CROSS_CORPUS, SPEAKER_INDEPENDENT, list_configs, list_folds
from emobox_hf.corpora.folds import Partition, ValidationRule
from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.sampling import BALANCED_PER_EMOTION
from emobox_hf.corpora.spec import ACCESS, CorpusSpec, list_corpora, load_spec
from emobox_hf.files import write_text
from emobox_hf.hub.licences import find_licence
from emobox_hf.scores import SCORES

_VALIDATION = ValidationRule()
TABLE = ("<!-- corpora: generated from the specs -->", "<!-- end of corpora -->")
SCORE_LIST = ("<!-- scores: generated from emobox_hf/scores/table.py -->", "<!-- end of scores -->")


def card_metadata(spec: CorpusSpec) -> dict[str, Any]:
    """The YAML header of a corpus's card, as a dictionary."""
    hub_id = find_licence(spec.licence).hub_id
    return {
        "pretty_name": spec.title,
        "language": list(spec.languages),
        "license": hub_id,
        **({"license_name": "see-card"} if hub_id == "other" else {}),
        "task_categories": ["audio-classification"],
        "tags": ["speech-emotion-recognition", "emobox"],
    }


def card_body(spec: CorpusSpec, *, is_built: bool = False) -> str:
    """The text of a corpus's card: source, labels, folds, columns, quirks; a built one needs no import."""
    folds = list_folds(spec)
    codes = {emotion: [code for code, label in spec.labels.items() if label == emotion] for emotion in spec.emotions}
    lines = [
        f"# {spec.title}",
        "",
        f"{spec.expected.utterances} utterances, {_plural(spec.expected.speakers, 'speaker')}, "
        f"{len(spec.emotions)} emotions; {', '.join(spec.languages)}; {spec.source}. "
        "Labels and folds as in [EmoBox](https://arxiv.org/abs/2406.07162).",
        "",
        f"- Home page: {spec.homepage}",
        f"- Licence: {spec.licence}",
        f"- Access: {ACCESS[spec.access]}. {spec.obtain}",
        "",
        "```python",
        *([] if is_built else ["import emobox_hf"]),
        "from datasets import load_dataset",
        "",
        f'load_dataset("emobox/{spec.name}", "{list_configs(spec)[0]}"'
        + (")  # or the path of this folder" if is_built else f', data_dir="path/to/{spec.name}")'),
        "```",
        "",
        "## Expected files",
        "",
        "```",
        spec.tree.strip("\n"),
        "```",
        "",
        "## Emotions",
        "",
        "| class | name | raw codes |",
        "| --- | --- | --- |",
        *(
            f"| {i} | {emotion} | {', '.join(f'`{code}`' for code in codes[emotion])} |"
            for i, emotion in enumerate(codes)
        ),
        "",
    ]
    if spec.labels_left_out:
        lines += ["Left out:", ""]
        lines += [f"- `{code}`: {reason}" for code, reason in spec.labels_left_out.items()] + [""]
    lines += ["## Configurations", "", _describe_folds(spec), ""]
    lines += ["| configuration | EmoBox's train | validation | test |", "| --- | --- | --- | --- |"]
    for name, fold in zip(folds, spec.folds.published, strict=False):
        train = spec.expected.utterances - fold.test - (fold.validation or 0) if fold.train is None else fold.train
        lines.append(f"| `{name}` | {train} | {fold.validation or f'{_VALIDATION.percent} of train'} | {fold.test} |")
    lines += ["", *_describe_drawn(spec), "`all` holds every utterance in one split, `train`.", ""]
    lines += [
        "However the corpus is loaded, rows come in one order: by their splits in all configurations, then by key.",
        "",
    ]
    lines += _describe_columns(spec)
    if spec.notes:
        lines += ["## Notes", "", *(f"- {note}" for note in spec.notes), ""]
    return "\n".join([*lines, "## Citation", "", "```bibtex", spec.citation.strip(), "```", ""])


def audit_table(spec: CorpusSpec, partitions: Mapping[str, Partition]) -> str:
    """What the test part of each configuration shares with train and validation, as a section of a card."""
    lines = [
        "## Audit",
        "",
        "What a test part shares with train or validation. A shared speaker is a leak; shared sentences are common "
        "where actors read prompts.",
        "",
        "| configuration | verdict | test speakers shared | test sentences shared |",
        "| --- | --- | --- | --- |",
    ]
    for name, part in partitions.items():
        if part.splits.get("test"):
            audit = summarize_audit(audit_partition(part, spec))
            counts = (f"{audit[f'shared_{kind}']} of {audit[f'test_{kind}']}" for kind in ("speakers", "sentences"))
            lines.append(f"| `{name}` | {' | '.join((audit['verdict'], *counts))} |")
    return "\n".join([*lines, ""])


def loading_script(spec: CorpusSpec) -> str:
    """The script that datasets 3.x runs."""
    return (
        f'"""{spec.title} as in EmoBox, for datasets 3.x; the card beside it says more."""\n\n'
        "import emobox_hf.hub.builder\n\n\n"
        f"class {spec.name.capitalize()}(emobox_hf.hub.builder.CorpusBuilder):\n"
        f'    """{spec.title}."""\n\n'
        f'    BUILDER_CONFIGS = emobox_hf.hub.builder.corpus_configs("{spec.name}")\n'
    )


def corpus_table() -> str:
    """A Markdown table of all corpora."""
    lines = [
        "| corpus | title | language | source | speakers | utterances | emotions | folds | access |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for spec in map(load_spec, list_corpora()):
        cells = (
            f"[`{spec.name}`](loading_scripts/{spec.name}/README.md)",
            spec.title,
            ", ".join(spec.languages),
            spec.source,
            spec.expected.speakers or "unknown",
            spec.expected.utterances,
            len(spec.emotions),
            len(spec.folds.published),
            spec.access,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def generated_files(checkout: Path) -> dict[Path, str]:
    """Every generated file of a checkout, with the text it should have."""
    files = {}
    for spec in map(load_spec, list_corpora()):
        folder = checkout / "loading_scripts" / spec.name
        header = yaml.safe_dump(card_metadata(spec), sort_keys=False, allow_unicode=True)
        files[folder / f"{spec.name}.py"] = loading_script(spec)
        files[folder / "README.md"] = f"---\n{header}---\n\n{card_body(spec)}"
    readme = checkout / "README.md"
    files[readme] = _replace(readme, TABLE, corpus_table())
    card = checkout / "metrics" / "ser_metrics" / "README.md"
    files[card] = _replace(card, SCORE_LIST, score_list())
    return files


def score_list() -> str:
    """The scores that are one number and their intervals, as the metric's card lists them."""
    lines = [f"- **{name}** (`float`): {score.full_text}" for name, score in SCORES.items()]
    intervals = ", ".join(f"**{name}_interval**" for name in SCORES)
    lines.append(
        f"- {intervals} (`[low, high]`): intervals, where `confidence` was given; `None` of three speakers or fewer."
    )
    return "\n".join(textwrap.fill(line, 120, subsequent_indent="  ") for line in lines)


def _replace(path: Path, marks: tuple[str, str], text: str) -> str:
    """A file's text with what stands between two marks replaced."""
    begin, end = marks
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def _describe_folds(spec: CorpusSpec) -> str:
    ways = {
        "speakers": "Each fold tests on speakers that its train and validation parts do not hold.",
        "split": "The corpus's own parts.",
        "rule": "EmoBox's partition rule for corpora that it has not split itself.",
        "list": "Random lists drawn once by EmoBox, read from `folds_dir`, `$EMOBOX_FOLDS` or the EmoBox repository.",
    }
    held_out = _VALIDATION.describe("EmoBox's train list")
    has_validation = any(fold.validation for fold in spec.folds.published)
    return ways[spec.folds.source] + ("" if has_validation else f" Validation is {held_out}.")


def _describe_drawn(spec: CorpusSpec) -> list[str]:
    lines = []
    if names := list_folds(spec, SPEAKER_INDEPENDENT):
        lines += [
            f"`{names[0]}` … `{names[-1]}` are speaker-independent folds drawn by this project: speakers are dealt "
            f"into {len(names)} groups with the emotions as even as can be; one group tests, "
            + ("the next validates." if len(names) > 2 else f"validation is {_VALIDATION.describe('the rest')}."),
            "",
        ]
    if CROSS_CORPUS in list_configs(spec):
        drawn = "EmoBox's own list" if spec.drawn.published else "drawn equally over speakers by a hash of the key"
        lines += [
            f"`{CROSS_CORPUS}` is for probes trained on other corpora: its test part holds as many utterances of each "
            f"of {', '.join(SHARED_EMOTIONS)}, at most {BALANCED_PER_EMOTION} ({drawn}); train and validation are the "
            "other utterances of those emotions.",
            "",
        ]
    return lines


def _describe_columns(spec: CorpusSpec) -> list[str]:
    lines = [
        "## Columns",
        "",
        "`key, audio, emotion, raw_emotion, speaker, gender, language, text, corpus, start_s, end_s`; what the corpus "
        "does not say is null. `start_s` and `end_s` are seconds into the corpus's own recording, where an utterance "
        "is a part of one; its audio is cut already.",
    ]
    if spec.extra_names:
        lines.append(f"`extras` holds, in the corpus's own codes: {', '.join(spec.extra_names)}.")
    return [*lines, ""]


def _plural(count: int, noun: str) -> str:
    if count == 0:
        return f"{noun}s unknown"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


if __name__ == "__main__":
    for path, text in generated_files(Path(sys.argv[1] if len(sys.argv) > 1 else ".")).items():
        write_text(path, text)
