"""Requests to the Responses API and their streamed responses."""
