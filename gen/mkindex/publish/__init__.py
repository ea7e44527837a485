"""Make a destination hold exactly the resources of a plan, safely for readers and after a crash."""
