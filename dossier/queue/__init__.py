"""Durable jobs and the worker that works through them."""
