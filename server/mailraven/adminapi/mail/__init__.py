"""Between the models of the mail API and the mailstore: no routes, and nothing of HTTP but what a download needs."""
