"""Measure how well the configured model forms memories, with written cases."""
