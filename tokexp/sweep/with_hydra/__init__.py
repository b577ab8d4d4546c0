"""A sweep by Hydra: the schema of conf/, what is planned, launched and concluded. Nothing else imports Hydra."""
