"""What chance makes of a difference: the seeds' variance, and the test that adds it to the text's."""
