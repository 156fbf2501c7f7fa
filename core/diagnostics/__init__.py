"""Why figures are as they are: what a file of weights holds, how embeddings lie, and whether a gallery is sound.

Nothing here needs torch until weights are loaded: maps, similarities and the gallery's health come from embeddings that
are kept.
"""
