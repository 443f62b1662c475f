"""Tables come in and go out: found, understood, read with every value as it stands, and written whole or not at all."""
