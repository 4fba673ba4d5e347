"""What the machine at hand does, beside plain loops; imports neither `datasets`, `soundfile` nor `pyarrow`."""
