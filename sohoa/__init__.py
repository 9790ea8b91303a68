"""What users of Sohoa import: `sohoa.client`. All else is the service's own."""
