"""A bundle at work: served, watched, renewed, and rows labelled for it. Never torch, never scikit-learn."""
