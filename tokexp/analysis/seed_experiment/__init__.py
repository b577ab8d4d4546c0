"""The seed experiment, from which this project grew: its figures and six insights, held against those of a study."""
