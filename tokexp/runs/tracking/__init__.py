"""Weights & Biases as a mirror of runs and reports: what goes there is in their folders too."""
