"""What the gates and the rules look at, and the gates themselves."""
