"""Which families of models work, and how: for people; what really happens is decided by `encoder.build_encoder`."""

from dataclasses import dataclass

BATCHED = "in batches; a clip's frames are the same alone and in any batch"
CONVERTED = "in batches, after `emobox convert`"
SINGLE = "clip by clip"
PADDED = "clip by clip in padded windows, of which the clip's frames are kept"
CODEC = "clip by clip; the latents before quantisation, one layer"
REFUSED = "no"


@dataclass(frozen=True)
class Family:
    """A family by transformers' `model_type`: its title, how it is run, and what else to know."""

    model_type: str
    title: str
    how: str
    note: str = ""


FAMILIES = {
    family.model_type: family
    for family in (
        Family("wav2vec2", "wav2vec 2.0, XLS-R, MMS", BATCHED),
        Family("hubert", "HuBERT", BATCHED),
        Family("wavlm", "WavLM", BATCHED),
        Family("data2vec-audio", "data2vec", BATCHED),
        Family("unispeech", "UniSpeech", BATCHED),
        Family("unispeech-sat", "UniSpeech-SAT", BATCHED),
        Family("whisper", "Whisper", BATCHED, "--context clip runs it without padding to 30 s"),
        Family("emobox-data2vec2", "data2vec 2.0, emotion2vec", CONVERTED),
        Family("wav2vec2-conformer", "wav2vec 2.0 Conformer", SINGLE),
        Family("wav2vec2-bert", "w2v-BERT 2.0", SINGLE),
        Family("sew", "SEW", SINGLE),
        Family("sew-d", "SEW-D", SINGLE),
        Family("moonshine", "Moonshine", SINGLE),
        Family("speech_to_text", "Speech2Text", SINGLE),
        Family("parakeet_ctc", "Parakeet-CTC", SINGLE),
        Family("seamless_m4t", "SeamlessM4T", SINGLE, "its speech encoder"),
        Family("seamless_m4t_v2", "SeamlessM4T v2", SINGLE, "its speech encoder"),
        Family("audio-spectrogram-transformer", "Audio Spectrogram Transformer", PADDED, "mean over frequency"),
        Family("qwen2_audio", "Qwen2-Audio", PADDED, "its audio tower, which does not attend to the padding"),
        Family("audioflamingo3", "Audio Flamingo 3", PADDED, "its audio tower, which does not attend to the padding"),
        Family("glmasr", "GLM-ASR", PADDED, "its audio tower"),
        Family("voxtral", "Voxtral", PADDED, "its audio tower"),
        Family("encodec", "EnCodec", CODEC, "24 kHz, resampled from 16 kHz"),
        Family("mimi", "Mimi", CODEC, "24 kHz, resampled from 16 kHz"),
        Family("dac", "DAC", CODEC),
        Family("clap", "CLAP", REFUSED, "it gives one representation of a 10 s window, no frames"),
        Family("speecht5", "SpeechT5", REFUSED, "what AutoModel loads of it has no part that takes sound"),
    )
}
"""Those that the tests run, by `model_type`; others that AutoModel loads are tried clip by clip."""
