"""What happened to a message, from the connection to the mailbox or the remote's reply."""
