"""Circuit breaker for the model."""
