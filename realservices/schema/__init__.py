"""Files of SQL as other tools write them: which are applied, in which order, and what of each."""
