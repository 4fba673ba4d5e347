"""Ctrl-C during training ends at the next epoch, not after the jobs that run."""

import os
import signal
import subprocess
import sys
import time

CODE = """
import numpy as np, torch
from emobox_hf.probes import EmoboxHead, Split, list_jobs
from emobox_hf.probes.train import train_probes
random = np.random.default_rng(0)
frames, offsets = torch.randn(200 * 50, 256), torch.arange(201) * 50
labels = np.arange(200) % 3
splits = {f"fold{i}": Split(np.arange(100), np.arange(100, 150), np.arange(150, 200)) for i in range(4)}
settings = EmoboxHead(epochs=1_000_000, warmup_epochs=1)
print("training", flush=True)
train_probes(frames, offsets, labels, 3, list_jobs(splits, settings.seeds), settings)
"""


def test_an_interrupt_ends_training_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "training\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "KeyboardInterrupt" in errors
