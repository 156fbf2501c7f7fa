"""Enrolment: photographs prepared and stored, matched templates, re-embedding."""
