"""The results of commands, as text for people, or as JSON and annotations for programs."""
