"""FunASR's own emotion2vec, which the native models are held to; `make funasr` runs it where FunASR is installed.

    python tests/encoders/native/make_emotion2vec_reference.py           # compares, exit 1 where numbers differ
    python tests/encoders/native/make_emotion2vec_reference.py --write   # writes emotion2vec_reference.json anew

It compares the table that the tests read with what FunASR computes now, then, with random weights of published sizes,
FunASR's frames and every block's output with those of the converted model.
"""

import argparse
import json
import sys
import tempfile
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

TABLE = Path(__file__).with_name("emotion2vec_reference.json")
ROUNDING, TOLERANCE = 1e-5, 1e-4  # of the table; of frames
PUBLISHED = {
    "emotion2vec base": Case(dim=768, heads=12, prenet=4, depth=8, extra_tokens=10),
    "data2vec 2.0 base": Case(dim=768, heads=12, prenet=4, depth=8),
    "data2vec 2.0 large": Case(dim=1024, heads=16, prenet=8, depth=16),
}

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


def compare_table() -> float:
    """The largest difference between FunASR's numbers of now and the table's."""
    now, kept = make_table(), json.loads(TABLE.read_text(encoding="utf-8"))
    if now.keys() != kept.keys():
        raise SystemExit(f"{TABLE} has other models than are made: {sorted(now.keys() ^ kept.keys())}")
    pairs = [(torch.tensor(now[name][part]), torch.tensor(kept[name][part])) for name in now for part in now[name]]
    return max(float((ours - theirs).abs().max()) for ours, theirs in pairs)


def compare_published_size(case: Case) -> dict[str, float]:
    """The largest difference in the frames, and in any block's output, between FunASR's model and the native one."""
    import transformers

    from emobox_hf.encoders.native import register_native_models
    from emobox_hf.encoders.native.convert import convert_data2vec2

    register_native_models()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    theirs = build(case, spec=PUBLISHED_SPEC, groups=16, ratio=4.0)
    for name, weight in theirs.named_parameters():
        if weight.ndim == 1 or name.endswith(("alibi_scale", "extra_tokens")):  # those start as zeros and ones
            weight.add_(0.1 * torch.randn_like(weight))
    states: list[torch.Tensor] = []
    for block in [*theirs.modality_encoders["AUDIO"].context_encoder.blocks, *theirs.blocks]:
        block.register_forward_hook(lambda _, __, output: states.append(output[0][:, case.extra_tokens :]))
    sound = torch.randn(1, 16_000)
    frames = theirs.extract_features(sound)["x"]
    with tempfile.TemporaryDirectory() as folder:
        torch.save({"model": theirs.state_dict()}, Path(folder, "model.pt"))
        convert_data2vec2(Path(folder, "model.pt"), Path(folder, "out"))
        ours = transformers.AutoModel.from_pretrained(Path(folder, "out")).eval()
    output = ours(sound, output_hidden_states=True)
    pairs = zip(output.hidden_states[1:], states, strict=True)
    return {
        "frames": float((output.last_hidden_state - frames).abs().max()),
        f"output of {len(states)} blocks": max(float((one - other).abs().max()) for one, other in pairs),
    }


def main() -> int:
    """Print each comparison: 0 if all hold, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table anew")
    if parser.parse_args().write:
        lines = json.dumps(make_table(), indent=None).replace("}, ", "},\n").replace("], [", "],\n[")
        TABLE.write_text(lines + "\n", encoding="utf-8")
        return 0
    differences = {TABLE.name: (compare_table(), 1.01 * ROUNDING)}
    for name, case in PUBLISHED.items():
        for part, difference in compare_published_size(case).items():
            differences[f"{name}, {part}"] = difference, TOLERANCE
    print(f"{'largest difference from FunASR':<44}{'found':>10}{'allowed':>10}")
    for name, (found, allowed) in differences.items():
        print(f"{name:<44}{found:>10.1e}{allowed:>10.1e}{'' if found <= allowed else '  differs'}")
    return int(any(not found <= allowed for found, allowed in differences.values()))


if __name__ == "__main__":
    with torch.no_grad():
        sys.exit(main())
