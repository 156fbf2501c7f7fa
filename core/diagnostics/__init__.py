"""Diagnostics of weights, embeddings and galleries.

Nothing here needs torch until weights are loaded: maps, similarities and the gallery's health come from embeddings that
are kept.
"""
