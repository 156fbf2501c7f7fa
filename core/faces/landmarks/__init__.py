"""Five landmarks of a face of any size and roll, by a small network of this project. Without torch."""
