"""Writes the table that the native models are tested against, from FunASR's own emotion2vec.

    python -m venv ref && ref/bin/pip install torch==2.11.0 torchaudio==2.11.0 funasr==1.4.16
    ref/bin/python tests/encoders/make_emotion2vec_reference.py            # emotion2vec_reference.json beside it
    ref/bin/python tests/encoders/make_emotion2vec_reference.py OUT.safetensors [large]

With a file named, it is random weights of emotion2vec base's size (or data2vec 2.0 large's), one second of sound, the
frames and every block's output instead; the tests compare with it where $EMOBOX_FUNASR_REFERENCE names it.
"""

import json
import sys
from pathlib import Path

import torch
from emotion2vec_checkpoints import (
    AUDIO,
    CASES,
    EVERY,
    GROUPS,
    POSITION_DEPTH,
    RATIO,
    SPEC,
    Case,
    make_sound,
    make_weights,
)
from funasr.models.emotion2vec.model import Emotion2vec
from safetensors.torch import save_file

DECODER = {
    "decoder_dim": 16, "decoder_groups": 4, "decoder_kernel": 3, "decoder_layers": 1, "input_dropout": 0.0,
    "add_positions_masked": False, "add_positions_all": False, "decoder_residual": True, "projection_layers": 1,
    "projection_ratio": 2.0,
}  # fmt: skip
PUBLISHED_SPEC = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]"


def build(case: Case, *, spec: str = SPEC, groups: int = GROUPS, ratio: float = RATIO) -> Emotion2vec:
    audio = {
        "type": "AUDIO", "prenet_depth": case.prenet, "prenet_layerdrop": 0.0, "prenet_dropout": 0.0,
        "start_drop_path_rate": 0.0, "end_drop_path_rate": 0.0, "num_extra_tokens": case.extra_tokens,
        "init_extra_token_zero": True, "local_grad_mult": 1.0, "use_alibi_encoder": True, "alibi_scale": 1.0,
        "learned_alibi": False, "learned_alibi_scale": True, "learned_alibi_scale_per_head": True,
        "learned_alibi_scale_per_layer": False, "num_alibi_heads": case.heads, "model_depth": case.depth,
        "extractor_mode": "layer_norm", "feature_encoder_spec": spec, "conv_pos_width": case.position_width,
        "conv_pos_groups": groups, "conv_pos_depth": POSITION_DEPTH, "conv_pos_pre_ln": False, "decoder": DECODER,
    }  # fmt: skip
    model = {
        "depth": case.depth, "num_heads": case.heads, "embed_dim": case.dim, "mlp_ratio": ratio, "norm_eps": 1e-5,
        "norm_affine": True, "layer_norm_first": case.layer_norm_first, "encoder_dropout": 0.0,
        "attention_dropout": 0.0, "activation_dropout": 0.0, "post_mlp_drop": 0.0, "dropout_input": 0.0,
        "layerdrop": 0.0, "start_drop_path_rate": 0.0, "end_drop_path_rate": 0.0, "average_top_k_layers": case.depth,
        "end_of_block_targets": False, "clone_batch": 1, "loss_beta": 0.0, "loss_scale": None,
        "modalities": {"audio": audio},
    }  # fmt: skip
    return Emotion2vec(model_conf=model, vocab_size=case.labels or -1).eval()


def make_table() -> dict[str, dict[str, list]]:
    table = {}
    for name, case in CASES.items():
        model = build(case)
        weights = {key: torch.from_numpy(value) for key, value in make_weights(case).items()}
        ours, theirs = set(weights), {key for key in model.state_dict() if not key.startswith(f"{AUDIO}decoder.")}
        if ours != theirs:
            raise SystemExit(f"{name}: FunASR's model has other tensors: {sorted(ours ^ theirs)}")
        model.load_state_dict(weights, strict=False)
        frames = model.extract_features(torch.from_numpy(make_sound())[None])["x"]  # (1, time, dim)
        table[name] = {"frames": [[round(float(x), 5) for x in row[::EVERY]] for row in frames[0]]}
        if model.proj is not None:
            table[name]["logits"] = [round(float(x), 5) for x in model.proj(frames.mean(1))[0]]
    return table


def save_published_size(out: Path, *, large: bool) -> None:
    torch.manual_seed(0)
    if large:
        case = Case(dim=1024, heads=16, prenet=8, depth=16)
    else:
        case = Case(dim=768, heads=12, prenet=4, depth=8, extra_tokens=10)
    model = build(case, spec=PUBLISHED_SPEC, groups=16, ratio=4.0)
    states = {}

    def keep(number: int):
        def hook(_: object, __: object, output: tuple) -> None:
            states[f"state.{number}"] = output[0][:, case.extra_tokens :]

        return hook

    blocks = [*model.modality_encoders["AUDIO"].context_encoder.blocks, *model.blocks]
    for number, block in enumerate(blocks, start=1):
        block.register_forward_hook(keep(number))
    sound = torch.randn(1, 16_000)
    frames = model.extract_features(sound)["x"]
    tensors = {**model.state_dict(), **states, "input": sound, "frames": frames}
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, out)


if __name__ == "__main__":
    with torch.no_grad():
        if len(sys.argv) > 1:
            save_published_size(Path(sys.argv[1]), large="large" in sys.argv[2:])
        else:
            lines = json.dumps(make_table(), indent=None).replace("}, ", "},\n").replace("], [", "],\n[")
            Path(__file__).with_name("emotion2vec_reference.json").write_text(lines + "\n", encoding="utf-8")
