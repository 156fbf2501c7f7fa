"""Video: sources, tracking, live identification, camera enrolment, and the sighting log."""
