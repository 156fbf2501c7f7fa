"""Evaluation: verification, identification and calibration of thresholds, with confidence intervals over people."""
