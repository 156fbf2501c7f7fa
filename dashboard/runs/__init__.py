"""Runs on a page: a card for one, a list of many."""
