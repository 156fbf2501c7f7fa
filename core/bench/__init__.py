"""The speed of this machine: what `bench` and the Speed page measure."""
