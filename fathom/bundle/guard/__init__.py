"""Every file of a bundle is looked at by rules of our own, narrower than its library's, before that library reads it."""
