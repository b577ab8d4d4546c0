"""The stages of a run, a file each; `tokexp/experiment.py` says how they follow one another."""
