"""How far a figure or a difference may be chance: of the seeds, of the held-out text, of all that is read together."""
