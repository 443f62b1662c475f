"""A bundle is made smaller and quicker, with what that costs on a price list."""
