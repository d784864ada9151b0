"""A kombu transport for Redis that claims many messages in one step, under a lease that its worker renews."""
