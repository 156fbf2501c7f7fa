"""Speed beside baselines: other libraries, plainer code and a browser, each timed in turns with the product's code.

`make bench`, or `python -m tests.benchmarks --only search`; results are written to data/bench and shown on the Speed
page.
"""
