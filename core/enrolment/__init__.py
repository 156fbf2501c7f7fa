"""Enrolment: drafts of photographs, storing one person or many, re-embedding."""
