"""The peers of the benchmark: each is a process that is controlled by lines of JSON."""
