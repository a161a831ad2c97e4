"""The application: signals, report, page, sources, job and command line."""
