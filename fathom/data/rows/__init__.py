"""Which rows: told apart by what they hold, parted, folded, drawn and weighed."""
