"""What a command did, as text for people or as JSON and annotations for programs."""
