"""The metric of emobox-hf; the folder is also a Space of the Hub."""
