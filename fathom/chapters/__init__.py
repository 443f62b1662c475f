"""The chapters of a fit, from the table to the run folder; `fitting.py` calls them in turn."""
