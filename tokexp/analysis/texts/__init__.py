"""What held-out texts are made of, and several of them beside each other: further ones, languages, corpora."""
