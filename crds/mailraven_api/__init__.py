"""Models shared by the server, its API clients and the operator."""
