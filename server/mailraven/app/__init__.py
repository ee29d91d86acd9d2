"""The composition root: builds the parts from the settings, runs them in workers under a supervisor."""
