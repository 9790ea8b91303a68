"""What reports say to people, Vietnamese first: checks, labels, the sentence for a citizen."""
