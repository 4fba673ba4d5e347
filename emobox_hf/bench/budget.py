"""What a bench has time for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from emobox_hf.bench.clips import MEAN_S
from emobox_hf.bench.estimate import (
    STORED_CLIPS_S,
    Skipped,
    estimate_pass,
    estimate_probes,
    estimate_products,
    measure_rate,
    show_total,
)
from emobox_hf.bench.gemm import list_products
from emobox_hf.bench.probe_rate import count_operations
from emobox_hf.bench.shapes import make_config
from emobox_hf.encoders.encoder import PRECISIONS
from emobox_hf.precision import Precision
from emobox_hf.probes.train import DTYPES

if TYPE_CHECKING:
    from emobox_hf.bench.measure import BenchRequest


class Budget:
    """What there is time for, by the rates of the first products.

    Attributes:
        skipped: What there was no time for, so far.
    """

    def __init__(self, request: "BenchRequest") -> None:
        self.skipped: list[Skipped] = []
        self._request = request
        takes_products = {"gemm", "encoders"} & set(request.parts)
        dtypes = [PRECISIONS[one] for one in request.precisions] if takes_products else []
        dtypes += [torch.float32] if "encoders" in request.parts else []  # the loop
        dtypes += DTYPES.values() if "probes" in request.parts else []
        self._rates = {dtype: measure_rate(request.device, dtype) for dtype in dict.fromkeys(dtypes)}

    def allows(self, what: str, seconds: float) -> bool:
        """Whether there is time for something; noted as skipped if not."""
        if seconds > self._request.longest_s:
            self.skipped.append(Skipped(what, seconds))
            return False
        return True

    def products_s(self, precision: Precision) -> float:
        """Seconds that the products take in a precision."""
        rate = self._rates[PRECISIONS[precision]]
        return estimate_products(list_products(self._request.device), rate, seconds=self._request.gemm_s)

    def loop_s(self, config: Any) -> float:
        """Seconds that a round of the loop over single clips takes."""
        audio_s = min(self._request.audio_s, self._request.loop_clips * MEAN_S)
        return estimate_pass(config, self._rates[torch.float32], audio_s=audio_s)

    def extraction_s(self, config: Any, precision: Precision) -> float:
        """Seconds that a round of extraction takes, with the product before it."""
        a_pass = estimate_pass(config, self._rates[PRECISIONS[precision]], audio_s=self._request.audio_s)
        return a_pass + self.products_s(precision) / 2

    def count_rounds(self, lengths: Iterable[float]) -> int:
        """The rounds that there is time for, by the seconds that each part of a round takes."""
        longest_s = max(*lengths, 1e-9)
        return max(1, int(min(self._request.rounds, self._request.longest_s / longest_s)))

    def probes_s(self, precision: str) -> float:
        """Seconds that probes take in a precision of theirs."""
        n_operations = count_operations(self._request.probe_clips, self._request.probe_epochs)
        return estimate_probes(n_operations, self._rates[DTYPES[precision]])

    def describe(self) -> str:
        """How long all will take, of encoders those of known shape."""
        request = self._request
        lengths = []
        if "gemm" in request.parts:
            lengths += self._keep(self.products_s(precision) for precision in request.precisions)
        for name in request.shapes if "encoders" in request.parts else ():
            config = make_config(name)
            loop_s, ours = self.loop_s(config), [self.extraction_s(config, one) for one in request.precisions]
            chosen = [loop_s, *(seconds for seconds in ours if seconds <= request.longest_s)]
            if loop_s <= request.longest_s and len(chosen) > 1:
                lengths.append(self.count_rounds(chosen) * sum(chosen))
        if "store" in request.parts:
            lengths.append(request.store_clips / STORED_CLIPS_S)
        if "probes" in request.parts:
            lengths += self._keep(self.probes_s(precision) for precision in DTYPES)
        return show_total(sum(lengths))

    def _keep(self, lengths: Iterable[float]) -> list[float]:
        return [seconds for seconds in lengths if seconds <= self._request.longest_s]
