"""What was asked and answered, and what turned out to be true, kept in a database beside the server."""
