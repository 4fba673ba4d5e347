"""The forward pass: waveforms in batches to the frames of every layer, on any device."""
