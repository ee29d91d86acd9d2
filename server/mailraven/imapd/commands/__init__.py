"""One module for each command: `run(session, arguments)` returns an Outcome and never writes. table.py has the rows."""
