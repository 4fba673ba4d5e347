"""Names of number formats: of an encoder's pass, of stored frames, of a probe's frame layer."""

from typing import Literal

Precision = Literal["no", "bf16", "fp16"]
"""Mixed precision of an encoder's pass, in accelerate's words; `no` is float32."""
PrecisionChoice = Literal["auto", "no", "bf16", "fp16"]
"""What users may ask for; `auto` is what suits the machine."""
AUTO: Literal["auto"] = "auto"
StorageDtype = Literal["float16", "bfloat16", "float32", "int8"]
"""Frames on disk; int8 frames have a middle and a step for each dimension beside them."""
ProbePrecision = Literal["float32", "bfloat16"]
"""Of the frame layer of a probe; everything else of it computes in float32."""
