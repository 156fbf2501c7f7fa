"""Estimate a camera's degradation from unlabelled small faces."""
