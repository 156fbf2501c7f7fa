"""What surrounds every page: navigation, session, sign-in, error display, shared resources."""
