"""Training of the landmark network: sources, samples, the network, the loop, and its export."""
