"""Kioku on AWS: Aurora Serverless, Lambda and Secrets Manager, by CDK."""
