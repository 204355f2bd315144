"""State that lies elsewhere: in buckets and behind forges that misbehave as told."""
