"""What all services share: it knows no service by name."""
