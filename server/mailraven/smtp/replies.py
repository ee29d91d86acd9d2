"""The catalogue of replies (RFC 5321 §4.2.3, RFC 3463, RFC 5248): every reply we give stands here once."""

from mailraven.smtp.reply import Reply

# Good
OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
CANNOT_VERIFY = Reply(252, "2.1.5", "Cannot verify, but will take a message for it and try to deliver")
HELP = Reply(214, "2.0.0", "See RFC 5321")
BYE = Reply(221, "2.0.0", "Bye")
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
AUTHENTICATED = Reply(235, "2.7.0", "Authentication succeeded")
START_MAIL_INPUT = Reply(354, "", "End data with <CR><LF>.<CR><LF>")

# Not now
SHUTTING_DOWN = Reply(421, "4.3.2", "Service is shutting down, try again later")
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, try again later")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
NOT_SMTP = Reply(421, "4.7.0", "This is SMTP")
TIMED_OUT = Reply(421, "4.4.2", "Timed out waiting for you")
UNAVAILABLE = Reply(451, "4.3.0", "Temporary failure, try again later")
SENDS_ON_AND_ON = Reply(421, "4.3.4", "Message is far larger than the limit")
OUT_OF_MEMORY = Reply(452, "4.3.1", "Too much mail at this moment, try again later")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")
MAILBOX_FULL = Reply(452, "4.2.2", "Mailbox is full")
AUTH_UNAVAILABLE = Reply(454, "4.7.0", "Temporary authentication failure")
TLS_UNAVAILABLE = Reply(454, "4.7.0", "TLS is not available")

# Commands
UNKNOWN_COMMAND = Reply(500, "5.5.2", "Command not recognised")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
AUTH_LINE_TOO_LONG = Reply(500, "5.5.6", "Authentication exchange line is too long")
LINE_HAS_CONTROLS = Reply(500, "5.5.2", "Bare CR, bare LF or NUL in a command")
LINE_NOT_ASCII = Reply(501, "5.5.2", "Octets above 127 are not allowed here")
LINE_NOT_UTF8 = Reply(501, "5.5.2", "Not UTF-8")
SYNTAX = Reply(501, "5.5.4", "Syntax error in the argument")
NOT_BASE64 = Reply(501, "5.5.2", "Cannot decode base64")
AUTH_MALFORMED = Reply(501, "5.5.2", "The authentication exchange is malformed")
CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
BAD_SEQUENCE = Reply(503, "5.5.1", "Bad sequence of commands")
GREET_FIRST = BAD_SEQUENCE.saying("Send EHLO first")
NESTED_MAIL = BAD_SEQUENCE.saying("Sender already given")
MAIL_FIRST = BAD_SEQUENCE.saying("Send MAIL first")
RCPT_FIRST = BAD_SEQUENCE.saying("Send RCPT first")
ALREADY_AUTHENTICATED = BAD_SEQUENCE.saying("Already authenticated")
TLS_ALREADY = BAD_SEQUENCE.saying("TLS is already on")
PIPELINED_AFTER_STARTTLS = Reply(503, "5.5.0", "Data after STARTTLS before the handshake")
NO_VALID_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Authentication mechanism not recognised")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognised")

# Who may
AUTH_REQUIRED = Reply(530, "5.7.0", "Authentication required")
AUTH_REFUSED = Reply(535, "5.7.8", "Authentication credentials invalid")
TLS_REQUIRED_FOR_AUTH = Reply(538, "5.7.11", "Encryption required for this authentication mechanism")
RELAY_DENIED = Reply(550, "5.7.1", "Relay access denied")
SENDER_NOT_OWNED = Reply(553, "5.7.1", "This sender address is not yours")

# Addresses
BAD_SENDER_SYNTAX = Reply(501, "5.1.7", "Bad sender address syntax")
BAD_RECIPIENT_SYNTAX = Reply(501, "5.1.3", "Bad recipient address syntax")
SENDER_TOO_LONG = Reply(501, "5.1.7", "Sender address is too long")
RECIPIENT_TOO_LONG = Reply(501, "5.1.3", "Recipient address is too long")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "A non-ASCII address needs the SMTPUTF8 parameter")
UNKNOWN_RECIPIENT = Reply(550, "5.1.1", "No such recipient here")
LITERAL_REFUSED = Reply(550, "5.1.2", "Mail to an address literal is not accepted")
RECIPIENT_DISABLED = Reply(550, "5.2.1", "Mailbox is disabled")

# Messages
MESSAGE_TOO_LARGE = Reply(552, "5.3.4", "Message is larger than the limit")
HEADER_TOO_LARGE = Reply(552, "5.3.4", "Message header is larger than the limit")
BARE_LINE_END = Reply(550, "5.5.2", "Bare CR or bare LF in the message (RFC 5321 2.3.8)")
TOO_MANY_HOPS = Reply(554, "5.4.6", "Too many hops, this looks like a mail loop")
