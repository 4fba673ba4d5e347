"""What trained probes say of files: an Arrow table, and JSON lines, CSV or Parquet of it."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from emobox_hf.errors import InputError, suggest
from emobox_hf.files import check_writable, whole_file
from emobox_hf.text import count_of, show_text, write_cell

if TYPE_CHECKING:
    from emobox_hf.experiments.prediction import FilePrediction

ROWS_AT_ONCE = 10_000  # of a Parquet file


@dataclass(frozen=True, eq=False)
class Predictions:
    """What trained probes say of files, a row a window; of files up to the window's length that is one.

    Attributes:
        table: An Arrow table: file, start_s, end_s, prediction, and a probability `p_<label>` for each label.
        left_out: Why files have no row, where they were to be passed over.
    """

    table: Any
    left_out: Mapping[str, str] = field(default_factory=dict)

    def to_pandas(self) -> Any:
        """The table as a data frame."""
        return self.table.to_pandas()

    def __len__(self) -> int:
        """Number of windows."""
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        """How much there is."""
        files, windows = count_of(len(set(self.table["file"].to_pylist())), "file"), count_of(len(self), "window")
        return f"<Predictions of {files} in {windows}, {count_of(len(self.left_out), 'file')} left out>"

    def _repr_html_(self) -> str:
        shown: str = self.to_pandas().to_html(max_rows=20, float_format="{:.3f}".format, border=0)
        return shown


def collect(predictions: "Iterable[FilePrediction]", labels: Sequence[str]) -> Predictions:
    """The predictions of files as one table."""
    import pyarrow as pa

    left_out: dict[str, str] = {}
    rows = list(list_rows(predictions, labels, left_out))
    return Predictions(pa.Table.from_pylist(rows, schema=_schema(labels)), left_out)


def write(predictions: "Iterable[FilePrediction]", labels: Sequence[str], path: Path) -> tuple[int, dict[str, str]]:
    """Write a row a window as they come, the whole file or none; how many, and the reasons of files without any.

    Raises:
        InputError: A prediction was refused, see `experiments.prediction.predict_files`.
    """
    left_out: dict[str, str] = {}
    with whole_file(path) as part:
        n_rows = WRITERS[path.suffix](list_rows(predictions, labels, left_out), labels, part)
    return n_rows, left_out


def check_form(path: Path) -> None:
    """Refuse a file that nothing can be written to, before any work.

    Raises:
        InputError: Its name ends in none of the forms.
        OSError: It cannot be written.
    """
    if path.suffix not in WRITERS:
        raise InputError(f"{path}: no form {path.suffix!r}{suggest(path.suffix, WRITERS)}")
    check_writable(path)


def list_rows(
    predictions: "Iterable[FilePrediction]", labels: Sequence[str], left_out: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """A row a window, by column; files without any go to `left_out` with the reason.

    A name of a file that is no text stands as it can be shown (`text.show_text`).
    """
    for one in predictions:
        if one.error:
            left_out[show_text(one.file)] = show_text(one.error)
        for (start_s, end_s), row in zip(one.spans_s, one.probabilities, strict=True):
            told = {f"p_{label}": float(value) for label, value in zip(labels, row, strict=True)}
            guess = labels[int(row.argmax())]
            yield {"file": show_text(one.file), "start_s": start_s, "end_s": end_s, "prediction": guess, **told}


def print_json_lines(rows: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    """Print a JSON object a row, at once; how many."""
    n_rows = 0
    for row in rows:
        print(json.dumps(row, ensure_ascii=False), file=out, flush=True)
        n_rows += 1
    return n_rows


def _write_json_lines(rows: Iterable[Mapping[str, Any]], labels: Sequence[str], path: Path) -> int:
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        return print_json_lines(rows, out)


def _write_csv(rows: Iterable[Mapping[str, Any]], labels: Sequence[str], path: Path) -> int:
    n_rows = 0
    with open(path, "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, _schema(labels).names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: write_cell(one) if isinstance(one, str) else one for name, one in row.items()})
            n_rows += 1
    return n_rows


def _write_parquet(rows: Iterable[Mapping[str, Any]], labels: Sequence[str], path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, n_rows = _schema(labels), 0
    held: list[Mapping[str, Any]] = []
    with pq.ParquetWriter(path, schema) as writer:
        for row in rows:
            held.append(row)
            n_rows += 1
            if len(held) == ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                held = []
        writer.write_table(pa.Table.from_pylist(held, schema=schema))
    return n_rows


def _schema(labels: Sequence[str]) -> Any:
    import pyarrow as pa

    columns = [("file", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64()), ("prediction", pa.string())]
    return pa.schema([*columns, *((f"p_{label}", pa.float32()) for label in labels)])


WRITERS: Mapping[str, Callable[[Iterable[Mapping[str, Any]], Sequence[str], Path], int]] = {
    ".jsonl": _write_json_lines,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
"""How each form is written, by the end of a file's name."""
